"""First steps of every verb: read the settings, configure logging, read the tenants."""

from __future__ import annotations

import getpass
import os
import socket

from pipeline import masking, tracing
from pipeline.errors import ConfigurationError
from pipeline.logging import configure
from pipeline.settings import Settings, load_settings
from pipeline.tenants import Tenants, load_tenants
from pipeline.topics.lifetimes import require_valid


def prepare() -> tuple[Settings, Tenants]:
    """Load the settings and the tenants of this process. Raise `ConfigurationError` with one line."""
    settings = configured()
    require_lifetimes(settings)
    configure(settings.log_format, settings.log_level, failures=settings.failures_file)
    tracing.configure(os.environ)
    offer_sandbox(settings)
    return settings, load_tenants(settings.tenants)


def configured() -> Settings:
    """Load the settings of this process, and mask ids in logs as they say."""
    settings = load_settings()
    key = settings.mask_key
    masking.configure(key.get_secret_value() if key else None, settings.data_dir)
    return settings


def current_user() -> str:
    """Return the current user as `user@host`, for records of who decided something."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def require_lifetimes(settings: Settings) -> None:
    """Raise `ConfigurationError` with one line if a lifetime's name is no kind of command, or its number is wrong."""
    try:
        require_valid(settings.lifetimes or {})
    except ValueError as error:
        raise ConfigurationError(
            f"PIPELINE_LIFETIMES is wrong ({error}): correct it in the environment or .env"
        ) from None


def offer_sandbox(settings: Settings) -> None:
    """Set the URL of the sandbox for the tenants of the sample file, unless the environment sets it."""
    os.environ.setdefault("PIPELINE_SANDBOX_URL", f"http://127.0.0.1:{settings.sandbox_port}")
