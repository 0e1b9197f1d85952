"""Authenticate requests from Wawp, which signs nothing: by a secret in the webhook's URL and the caller's address.

Source: Wawp, webhooks overview, security: a `?secret=` of your own, and an allow-list of addresses.
"""

from __future__ import annotations

import hmac
from functools import partial

from pipeline.providers.base import WebhookRequest
from pipeline.providers.gateway.accounts import authenticated_accounts, is_authentic_session
from pipeline.tenants import Account, Tenants


def is_authentic(provider: str, request: WebhookRequest, tenants: Tenants) -> bool:
    """Return True if the URL contains a secret of the instance's account. Every secret is tried: constant time."""
    return is_authentic_session(provider, request, tenants, partial(_has_secret, request))


def may_be_authentic(provider: str, request: WebhookRequest, tenants: Tenants) -> bool:
    """Return True if the secret and the address are those of an account of the tenant in the path."""
    return bool(authenticated_accounts(provider, request, tenants, partial(_has_secret, request)))


def _has_secret(request: WebhookRequest, account: Account) -> bool:
    given = request.query.get("secret", "").encode("utf-8", "replace")
    wanted = [secret.get_secret_value().encode() for secret in account.webhook_secrets]
    return sum(hmac.compare_digest(given, secret) for secret in wanted) > 0
