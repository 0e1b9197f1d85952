"""Whether a request comes from the tenant's WAHA.

Source: WAHA, webhooks: `X-Webhook-Hmac` is the hexadecimal HMAC-SHA512 of the raw body; `X-Webhook-Hmac-Algorithm`
names the hash.
"""

from __future__ import annotations

import hmac

from pipeline.providers.base import WebhookRequest
from pipeline.providers.waha.accounts import authentic, opened
from pipeline.tenants import Account, Tenants

_ALGORITHM = "sha512"


def authenticate(provider: str, request: WebhookRequest, tenants: Tenants) -> bool:
    """Whether a secret of the session's account signed these bytes. Every secret is tried, so time tells nothing."""
    given = _signature(request)

    def opens(account: Account) -> bool:
        wanted = [
            hmac.digest(secret.get_secret_value().encode(), request.body, _ALGORITHM)
            for secret in account.webhook_secrets
        ]
        return sum(hmac.compare_digest(given, digest) for digest in wanted) > 0

    return bool(given) and authentic(provider, request, tenants, opens)


def authenticate_head(provider: str, request: WebhookRequest, tenants: Tenants) -> bool:
    """Whether there is a signature, and it comes from where an account of the tenant in the path allows."""
    return bool(_signature(request)) and bool(opened(provider, request, tenants, lambda _: True))


def _signature(request: WebhookRequest) -> bytes:
    """The digest that the header claims; empty for none."""
    text = request.headers.get("x-webhook-hmac", "").strip()
    named = request.headers.get("x-webhook-hmac-algorithm", _ALGORITHM).strip().lower()
    if named != _ALGORITHM or len(text) != 128 or not (text.isascii() and text.isalnum()):
        return b""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
