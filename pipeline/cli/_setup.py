"""What every verb does first: read the settings, set up the logs, read the tenants."""

from __future__ import annotations

import os

from pipeline import masking, tracing
from pipeline.logging import configure
from pipeline.settings import Settings, load_settings
from pipeline.tenants import Tenants, load_tenants


def prepare() -> tuple[Settings, Tenants]:
    """The settings and the tenants of this process. Raises `ConfigurationError` with one line for what is wrong."""
    settings = configured()
    configure(settings.log_format, settings.log_level)
    tracing.configure(os.environ)
    offer_sandbox(settings)
    return settings, load_tenants(settings.tenants)


def configured() -> Settings:
    """The settings of this process, by which ids are masked from here on."""
    settings = load_settings()
    key = settings.mask_key
    masking.configure(key.get_secret_value() if key else None, settings.data_dir)
    return settings


def offer_sandbox(settings: Settings) -> None:
    """Sets the variable by which the sample's tenants find the sandbox, unless it is set."""
    os.environ.setdefault("PIPELINE_SANDBOX_URL", f"http://127.0.0.1:{settings.sandbox_port}")
