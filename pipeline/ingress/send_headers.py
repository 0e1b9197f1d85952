"""The headers of the HTTP API: the API key, the sending account, and the idempotency key."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final
from uuid import uuid4

from aiohttp import web

from pipeline.providers.api import SEND_API
from pipeline.tenants import Account, Tenant

KEY_HEADER: Final = "Idempotency-Key"
ACCOUNT_HEADERS: Final = ("X-Wappa-Inbox-ID", "X-Inbox-ID")
"""Headers that name the sending account; the first one counts."""
MAX_KEY_LENGTH: Final = 255
"""Characters of an idempotency key."""


class BadHeaders(Exception):
    """A header of the request is not valid; its text is one line for the caller."""


def bearer_token(request: web.Request) -> str:
    """Return the token of the `Authorization` header; empty if there is none."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def account_of(request: web.Request, accounts: Sequence[Account]) -> Account:
    """Return the account that the request names, or the only one. Raise `BadHeaders` if none or several match."""
    name = next((given for header in ACCOUNT_HEADERS if (given := request.headers.get(header))), None)
    found = [each for each in accounts if name is None or name in (each.id, f"{each.provider}:{each.id}")]
    if len(found) != 1:
        hint = f"name one of your accounts in {ACCOUNT_HEADERS[0]}"
        raise BadHeaders(f"there is no such account: {hint}" if not found else f"you have several accounts: {hint}")
    return found[0]


def event_id_of(request: web.Request, tenant: Tenant) -> str:
    """Return the event id of the send: the same for one idempotency key of one tenant. Raise `BadHeaders`."""
    key = request.headers.get(KEY_HEADER)
    if key is None:
        return f"{SEND_API.name}:{tenant.id}:{uuid4().hex}"
    if not (1 <= len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
        raise BadHeaders(f"{KEY_HEADER} is not 1 to {MAX_KEY_LENGTH} printable ASCII characters")
    return f"{SEND_API.name}:{tenant.id}:key-{blake2b(key.encode(), digest_size=16).hexdigest()}"
