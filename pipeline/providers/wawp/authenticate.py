"""Whether a request comes from Wawp, which signs nothing: a secret in the webhook's URL, and where it came from.

Source: Wawp, webhooks overview, security: a `?secret=` of one's own, and an allow-list of addresses.
"""

from __future__ import annotations

import hmac
from functools import partial

from pipeline.providers.base import WebhookRequest
from pipeline.providers.waha.accounts import authentic, opened
from pipeline.tenants import Account, Tenants


def authenticate(provider: str, request: WebhookRequest, tenants: Tenants) -> bool:
    """Whether the URL carries a secret of the instance's account. Every secret is tried, so time tells nothing."""
    return authentic(provider, request, tenants, partial(_opens, request))


def authenticate_head(provider: str, request: WebhookRequest, tenants: Tenants) -> bool:
    """Whether the secret and the address are those of an account of the tenant in the path."""
    return bool(opened(provider, request, tenants, partial(_opens, request)))


def _opens(request: WebhookRequest, account: Account) -> bool:
    given = request.query.get("secret", "").encode("utf-8", "replace")
    wanted = [secret.get_secret_value().encode() for secret in account.webhook_secrets]
    return sum(hmac.compare_digest(given, secret) for secret in wanted) > 0
