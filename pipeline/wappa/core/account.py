"""Makes a tenants file of Wappa's environment variables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, Final

import yaml

from pipeline.errors import ConfigurationError
from pipeline.local.report import LOCAL_KEY
from pipeline.settings import load_settings
from pipeline.tenants import SAMPLE
from pipeline.wappa.core.config.settings import WappaSettings

TENANT: Final = "wappa"
LANGUAGE: Final = "es"
"""The language of templates whose send names none, as in Wappa."""
_NEEDED: Final = {
    "WP_ACCESS_TOKEN": "wp_access_token",
    "WP_PHONE_ID": "wp_phone_id",
    "WP_BID": "wp_bid",
    "WP_WEBHOOK_VERIFY_TOKEN": "wp_webhook_verify_token",
    "META_APP_SECRET": "meta_app_secret",
}


def tenants_file(settings: WappaSettings, place: Path) -> str | None:
    """Write the account of the environment variables into a tenants file, or the sandbox's if none of them is set.

    Return None if there is a tenants file already and no account in the environment. The HTTP API opens with
    `PIPELINE_API_KEY`, else with a key made for this run, which the start screen shows. The file holds the secrets, so
    only
    its owner can read it. Raises `ConfigurationError` if a part is missing: without the app secret a forged webhook
    could
    not be told from Meta's.
    """
    missing = [name for name, field in _NEEDED.items() if not getattr(settings, field)]
    if len(missing) == len(_NEEDED):
        return None if (load_settings().tenants or SAMPLE).exists() else _written(place, _sandbox(settings))
    if missing:
        raise ConfigurationError(f"the account is not complete: set {', '.join(missing)} in .env")
    return _written(place, _content(settings))


def _written(place: Path, content: dict[str, Any]) -> str:
    path = place / "tenants.yaml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content))
    return str(path)


def _sandbox(settings: WappaSettings) -> dict[str, Any]:
    """Return the sandbox's Cloud API account. Its secrets open nothing else."""
    account = {
        "provider": "cloud",
        "id": "106540352242922",
        "business_id": "102290129340398",
        "token": "sandbox-token",
        "base_url": "env:PIPELINE_SANDBOX_URL",
    }
    return _one_tenant(settings, account, ["sandbox-app-secret", "sandbox-verify-token"])


def _content(settings: WappaSettings) -> dict[str, Any]:
    account = {
        "provider": "cloud",
        "id": settings.wp_phone_id,
        "business_id": settings.wp_bid,
        "token": settings.wp_access_token,
        "base_url": settings.base_url,
        "api_version": settings.api_version,
    }
    return _one_tenant(settings, account, [settings.meta_app_secret, settings.wp_webhook_verify_token])


def _one_tenant(settings: WappaSettings, account: dict[str, Any], app: Sequence[str | None]) -> dict[str, Any]:
    """Return the file's content. `app` has the app secret and the verify token."""
    secret, verify_token = app
    key = settings.api_key or LOCAL_KEY + token_urlsafe(24)
    cloud_app = {"id": TENANT, "app_secrets": [secret], "verify_token": verify_token}
    tenant = {"id": TENANT, "accounts": [account], "api_keys": [key], "template_language": LANGUAGE}
    return {"cloud_apps": [cloud_app], "tenants": [tenant]}
