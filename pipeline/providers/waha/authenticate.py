"""Authenticate requests from the tenant's WAHA.

Source: WAHA, webhooks: `X-Webhook-Hmac` is the hexadecimal HMAC-SHA512 of the raw body; `X-Webhook-Hmac-Algorithm`
names the hash.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Final

from pipeline.providers.base import WebhookRequest
from pipeline.providers.gateway.accounts import accepting_accounts, is_authentic_session, session_of
from pipeline.tenants import Account, Tenants

_ALGORITHM = "sha512"
MAX_TRIED_ACCOUNTS: Final = 8
"""Accounts of a tenant that are all tried for every webhook, so that the duration does not depend on its session."""


def is_authentic(provider: str, request: WebhookRequest, tenants: Tenants) -> bool:
    """Return True if a secret of the session's account signed these bytes. Every candidate's secret is tried."""
    given = _signature(request)

    def opens(account: Account) -> bool:
        wanted = [
            hmac.digest(secret.get_secret_value().encode(), request.body, _ALGORITHM)
            for secret in account.webhook_secrets
        ]
        return sum(hmac.compare_digest(given, digest) for digest in wanted) > 0

    candidates = _candidates(provider, request, tenants) if given else ()
    return is_authentic_session(provider, request, tenants, list(filter(opens, candidates)))


def _candidates(provider: str, request: WebhookRequest, tenants: Tenants) -> Sequence[Account]:
    """Return the accounts whose secrets are tried: of a tenant with many, those of the session in the body.

    A session that no account of the tenant has may come with a secret of any.
    """
    accounts = tenants.candidates(request.tenant_id, provider)
    if len(accounts) <= MAX_TRIED_ACCOUNTS:
        return accounts
    return tenants.sessions(request.tenant_id or "", provider, session_of(request.body)) or accounts


def may_be_authentic(provider: str, request: WebhookRequest, tenants: Tenants) -> bool:
    """Return True if there is a signature, and an account of the path's tenant allows the caller's address."""
    return bool(_signature(request) and accepting_accounts(tenants.candidates(request.tenant_id, provider), request))


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
