"""Authenticate requests from Wasender, and find the session that sent them.

Source: Wasender, webhooks: `X-Webhook-Signature` is the session's webhook secret itself. Nothing is computed from the
body, so a single observed request is enough to forge others: the path to the ingress must be HTTPS from end to end.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.providers.base import WebhookRequest
from pipeline.providers.wasender.identity import PROVIDER
from pipeline.tenants import Account, Tenants

HEADER = "x-webhook-signature"


def is_authentic(request: WebhookRequest, tenants: Tenants) -> bool:
    """Return True if the header is a webhook secret of a session of the path's tenant."""
    return bool(authenticated_accounts(request, tenants))


def authenticated_accounts(request: WebhookRequest, tenants: Tenants) -> Sequence[Account]:
    """Return the sessions whose secret is in the header: one, unless a tenant gave two sessions the same secret."""
    return tenants.secret_holders(request.tenant_id, PROVIDER, request.headers.get(HEADER, ""))
