"""URLs and headers of the Graph API."""

from __future__ import annotations

from typing import Final

from pipeline.providers.shared.paths import url_path
from pipeline.tenants import Account

GRAPH: Final = "https://graph.facebook.com"


def graph_url(account: Account, *path: str) -> str:
    """Return the URL of an object or of one of its edges. Raises `InvalidRecord` for an id that can't be in a URL."""
    return (account.base_url or GRAPH).rstrip("/") + url_path(account.api_version, *path)


def bearer(account: Account) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.token.get_secret_value()}"}
