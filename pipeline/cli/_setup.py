"""What every verb does first: read the settings, set up the logs, read the tenants."""

from __future__ import annotations

import os

from pipeline import tracing
from pipeline.logging import configure
from pipeline.settings import Settings, load_settings
from pipeline.tenants import Tenants, load_tenants


def prepare() -> tuple[Settings, Tenants]:
    """The settings and the tenants of this process. Raises `ConfigurationError` with one line for what is wrong."""
    settings = load_settings()
    configure(settings.log_format, settings.log_level)
    tracing.configure(os.environ)
    offer_sandbox(settings)
    return settings, load_tenants(settings.tenants)


def offer_sandbox(settings: Settings) -> None:
    """Sets the variable by which the sample's tenants find the sandbox, unless it is set."""
    os.environ.setdefault("PIPELINE_SANDBOX_URL", f"http://127.0.0.1:{settings.sandbox_port}")
