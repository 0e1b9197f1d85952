"""Authenticate requests from Wawp, which signs nothing: by a secret in the webhook's URL and the caller's address.

Source: Wawp, webhooks overview, security: a `?secret=` of your own, and an allow-list of addresses.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.providers.base import WebhookRequest
from pipeline.providers.gateway.accounts import accepting_accounts, is_authentic_session
from pipeline.tenants import Account, Tenants


def is_authentic(provider: str, request: WebhookRequest, tenants: Tenants) -> bool:
    """Return True if the URL contains a secret of the instance's account. It takes the same time for any secret."""
    return is_authentic_session(provider, request, tenants, _secret_holders(provider, request, tenants))


def may_be_authentic(provider: str, request: WebhookRequest, tenants: Tenants) -> bool:
    """Return True if the secret and the address are those of an account of the tenant in the path."""
    return bool(accepting_accounts(_secret_holders(provider, request, tenants), request))


def _secret_holders(provider: str, request: WebhookRequest, tenants: Tenants) -> Sequence[Account]:
    return tenants.secret_holders(request.tenant_id, provider, request.query.get("secret", ""))
