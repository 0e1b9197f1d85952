"""Wawp keeps what every provider promises."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.providers import PROVIDERS
from pipeline.providers.base import AttemptStatus, WebhookRequest
from pipeline.testing import DocumentedAnswer
from tests.support import gateway_webhooks as gateway
from tests.support.gateway_conformance import GatewayConformance
from tests.support.gateway_webhooks import SECRETS, request

NAME = "wawp"


class TestWawp(GatewayConformance):
    provider = PROVIDERS[NAME]
    tenants = gateway.tenants(NAME)

    def forged(self, body: bytes) -> Sequence[WebhookRequest]:
        return [
            WebhookRequest(body, {}, {}, tenant_id="initech"),
            request(NAME, body, SECRETS[0][:-1]),
            request(NAME, body, ""),
            request(NAME, body, "é" * 22),
            request(NAME, body, "umbrellas-own-secret"),
            request(NAME, body, tenant_id="umbrella"),
            request(NAME, body, tenant_id=None),
        ]

    def answers(self) -> Sequence[DocumentedAnswer]:
        return [
            DocumentedAnswer(200, {"id": "true_15550001111@c.us_A"}, AttemptStatus.ACCEPTED),
            DocumentedAnswer(200, {"error": "daily limit reached"}, AttemptStatus.RETRYABLE, 60),
            DocumentedAnswer(403, {"code": "subscription_required", "message": "no"}, AttemptStatus.PERMANENT),
            DocumentedAnswer(404, {"code": "invalid_session", "message": "no"}, AttemptStatus.PERMANENT),
            DocumentedAnswer(401, {"code": "missing_access_token", "message": "no"}, AttemptStatus.PERMANENT),
            DocumentedAnswer(200, {"success": False}, AttemptStatus.PERMANENT),
            DocumentedAnswer(502, b"<html>", AttemptStatus.UNKNOWN),
        ]
