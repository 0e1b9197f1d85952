"""Authenticate requests from Wasender, and find the session that sent them.

Source: Wasender, webhooks: `X-Webhook-Signature` is the session's webhook secret itself. Nothing is computed from the
body, so a single observed request is enough to forge others: the path to the ingress must be HTTPS from end to end.
"""

from __future__ import annotations

import hmac

from pipeline.providers.base import WebhookRequest
from pipeline.providers.wasender.identity import PROVIDER
from pipeline.tenants import Account, Tenants

HEADER = "x-webhook-signature"


def is_authentic(request: WebhookRequest, tenants: Tenants) -> bool:
    """Return True if the header is a webhook secret of a session of the path's tenant."""
    return bool(authenticated_accounts(request, tenants))


def authenticated_accounts(request: WebhookRequest, tenants: Tenants) -> list[Account]:
    """Return the sessions whose secret is in the header: one, unless a tenant gave two sessions the same secret.

    Every secret of every session is compared, so that the duration is constant.
    """
    given = request.headers.get(HEADER, "").encode("utf-8", "surrogateescape")
    accounts = tenants.candidates(request.tenant_id, PROVIDER)
    matches = [_matches(given, account) for account in accounts]
    return [account for account, matching in zip(accounts, matches, strict=True) if matching]


def _matches(given: bytes, account: Account) -> bool:
    secrets = [secret.get_secret_value().encode() for secret in account.webhook_secrets]
    return sum(hmac.compare_digest(given, secret) for secret in secrets) > 0
