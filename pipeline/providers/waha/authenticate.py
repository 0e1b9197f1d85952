"""Authenticate requests from the tenant's WAHA.

Source: WAHA, webhooks: `X-Webhook-Hmac` is the hexadecimal HMAC-SHA512 of the raw body; `X-Webhook-Hmac-Algorithm`
names the hash.
"""

from __future__ import annotations

import hmac

from pipeline.providers.base import WebhookRequest
from pipeline.providers.gateway.accounts import authenticated_accounts, is_authentic_session
from pipeline.tenants import Account, Tenants

_ALGORITHM = "sha512"


def is_authentic(provider: str, request: WebhookRequest, tenants: Tenants) -> bool:
    """Return True if a secret of the session's account signed these bytes. Every secret is tried: constant time."""
    given = _signature(request)

    def opens(account: Account) -> bool:
        wanted = [
            hmac.digest(secret.get_secret_value().encode(), request.body, _ALGORITHM)
            for secret in account.webhook_secrets
        ]
        return sum(hmac.compare_digest(given, digest) for digest in wanted) > 0

    return bool(given) and is_authentic_session(provider, request, tenants, opens)


def may_be_authentic(provider: str, request: WebhookRequest, tenants: Tenants) -> bool:
    """Return True if there is a signature, and an account of the path's tenant allows the caller's address."""
    return bool(_signature(request)) and bool(authenticated_accounts(provider, request, tenants, lambda _: True))


def _signature(request: WebhookRequest) -> bytes:
    """Return the digest in the header; empty without one."""
    text = request.headers.get("x-webhook-hmac", "").strip()
    named = request.headers.get("x-webhook-hmac-algorithm", _ALGORITHM).strip().lower()
    if named != _ALGORITHM or len(text) != 128 or not (text.isascii() and text.isalnum()):
        return b""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
