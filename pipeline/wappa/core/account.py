"""From Wappa's environment variables to a tenants file."""

from __future__ import annotations

from pathlib import Path
from secrets import token_urlsafe
from typing import Any, Final

import yaml

from pipeline.errors import ConfigurationError
from pipeline.local.report import LOCAL_KEY
from pipeline.wappa.core.config.settings import Settings

TENANT: Final = "wappa"
_NEEDED: Final = {
    "WP_ACCESS_TOKEN": "wp_access_token",
    "WP_PHONE_ID": "wp_phone_id",
    "WP_BID": "wp_bid",
    "WP_WEBHOOK_VERIFY_TOKEN": "wp_webhook_verify_token",
    "META_APP_SECRET": "meta_app_secret",
}


def tenants_file(settings: Settings, place: Path) -> str | None:
    """Writes the account that the environment names into a tenants file; None where it names none at all.

    The HTTP API opens with `PIPELINE_API_KEY`, else with a key made for this run, which the start screen shows.
    The file holds the secrets, so it is readable by its owner only. Raises `ConfigurationError` when a part is missing:
    without the app secret nobody could tell Meta's webhooks from anybody's.
    """
    missing = [name for name, field in _NEEDED.items() if not getattr(settings, field)]
    if len(missing) == len(_NEEDED):
        return None
    if missing:
        raise ConfigurationError(f"the account is not complete: set {', '.join(missing)} in .env")
    path = place / "tenants.yaml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(_content(settings)))
    return str(path)


def _content(settings: Settings) -> dict[str, Any]:
    account = {
        "provider": "cloud",
        "id": settings.wp_phone_id,
        "business_id": settings.wp_bid,
        "token": settings.wp_access_token,
        "base_url": settings.base_url,
        "api_version": settings.api_version,
    }
    app = {"id": TENANT, "app_secrets": [settings.meta_app_secret], "verify_token": settings.wp_webhook_verify_token}
    key = settings.api_key or LOCAL_KEY + token_urlsafe(24)
    return {"cloud_apps": [app], "tenants": [{"id": TENANT, "accounts": [account], "api_keys": [key]}]}
