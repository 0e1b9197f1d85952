"""Where the Graph API is, and what calls to it carry."""

from __future__ import annotations

from typing import Final

from pipeline.providers.paths import url_path
from pipeline.tenants import Account

GRAPH: Final = "https://graph.facebook.com"


def graph_url(account: Account, *path: str) -> str:
    """The URL of an object, or of what belongs to it. Raises `InvalidRecord` for an id that can't be in one."""
    return (account.base_url or GRAPH).rstrip("/") + url_path(account.api_version, *path)


def bearer(account: Account) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.token.get_secret_value()}"}
