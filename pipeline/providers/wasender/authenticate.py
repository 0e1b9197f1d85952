"""Whether a request comes from Wasender, and for which of the tenant's sessions.

Source: Wasender, webhooks: `X-Webhook-Signature` is the session's webhook secret itself. Nothing is computed over the
body, so whoever has seen one request can make others: the path to the ingress must be HTTPS from end to end.
"""

from __future__ import annotations

import hmac

from pipeline.providers.base import WebhookRequest
from pipeline.providers.wasender.identity import PROVIDER
from pipeline.tenants import Account, Tenants

HEADER = "x-webhook-signature"


def authenticate(request: WebhookRequest, tenants: Tenants) -> bool:
    """Whether the header is a webhook secret of a session of the tenant in the path."""
    return bool(opened(request, tenants))


def opened(request: WebhookRequest, tenants: Tenants) -> list[Account]:
    """The sessions whose secret the header is: one, unless a tenant gave two sessions the same.

    Every secret of every session is compared, so time tells nothing.
    """
    given = request.headers.get(HEADER, "").encode("utf-8", "surrogateescape")
    accounts = tenants.candidates(request.tenant_id, PROVIDER)
    matches = [_matches(given, account) for account in accounts]
    return [account for account, matching in zip(accounts, matches, strict=True) if matching]


def _matches(given: bytes, account: Account) -> bool:
    secrets = [secret.get_secret_value().encode() for secret in account.webhook_secrets]
    return sum(hmac.compare_digest(given, secret) for secret in secrets) > 0
