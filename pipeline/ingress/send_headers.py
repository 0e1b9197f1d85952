"""The headers of the HTTP API: the API key, the sending account, and the idempotency key."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from hashlib import blake2b
from itertools import islice
from typing import Final
from uuid import uuid4

from aiohttp import web

from pipeline.providers.api import SEND_API
from pipeline.tenants import Account, Tenant, Tenants

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


def account_of(request: web.Request, tenant: Tenant, tenants: Tenants, providers: Collection[str]) -> Account:
    """Return the account at one of the providers that the request names, or the tenant's only one.

    Raise `BadHeaders` if none or several match.
    """
    name = next((given for header in ACCOUNT_HEADERS if (given := request.headers.get(header))), None)
    if name is None:
        found = list(islice((each for each in tenant.accounts if each.provider in providers), 2))
    else:
        found = [each for provider in providers for each in _named(tenant, provider, name, tenants)]
    if len(found) != 1:
        hint = f"name one of your accounts in {ACCOUNT_HEADERS[0]}"
        raise BadHeaders(f"there is no such account: {hint}" if not found else f"you have several accounts: {hint}")
    return found[0]


def _named(tenant: Tenant, provider: str, name: str, tenants: Tenants) -> Iterator[Account]:
    """Yield the tenant's accounts at a provider whose id, or `provider:id`, is the name."""
    for account_id in {name, name.removeprefix(f"{provider}:")}:
        if account := tenants.own_account(tenant.id, provider, account_id):
            yield account


def event_id_of(request: web.Request, tenant: Tenant) -> str:
    """Return the event id of the send: the same for one idempotency key of one tenant. Raise `BadHeaders`."""
    key = request.headers.get(KEY_HEADER)
    if key is None:
        return f"{SEND_API.name}:{tenant.id}:{uuid4().hex}"
    if not (1 <= len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
        raise BadHeaders(f"{KEY_HEADER} is not 1 to {MAX_KEY_LENGTH} printable ASCII characters")
    return f"{SEND_API.name}:{tenant.id}:key-{blake2b(key.encode(), digest_size=16).hexdigest()}"
