"""Where the Graph API is, and what calls to it carry."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from pipeline.tenants import Account

GRAPH: Final = "https://graph.facebook.com"


def graph_url(account: Account, *path: str) -> str:
    """The URL of an object, or of what belongs to it."""
    parts = (account.api_version, *path)
    return "/".join([(account.base_url or GRAPH).rstrip("/"), *(quote(part, safe="") for part in parts)])


def bearer(account: Account) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.token.get_secret_value()}"}
