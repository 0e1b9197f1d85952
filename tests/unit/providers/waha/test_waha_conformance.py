"""WAHA keeps what every provider promises."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.providers import PROVIDERS
from pipeline.providers.base import AttemptStatus, WebhookRequest
from pipeline.testing import DocumentedAnswer
from tests.support import gateway_webhooks as gateway
from tests.support.gateway_conformance import GatewayConformance
from tests.support.gateway_webhooks import request

NAME = "waha"


class TestWaha(GatewayConformance):
    provider = PROVIDERS[NAME]
    tenants = gateway.tenants(NAME)

    def forged(self, body: bytes) -> Sequence[WebhookRequest]:
        good = gateway.signature(body)
        bad = [good[:-1], good[:-2], "", "é" * 128, "g" * 128, gateway.signature(body, "umbrellas-own-secret")]
        return [
            WebhookRequest(body, {}, {}, tenant_id="initech"),
            WebhookRequest(body[:-1], {"x-webhook-hmac": good}, {}, tenant_id="initech"),
            WebhookRequest(body, {"x-webhook-hmac": good, "x-webhook-hmac-algorithm": "md5"}, {}, tenant_id="initech"),
            *(WebhookRequest(body, {"x-webhook-hmac": header}, {}, tenant_id="initech") for header in bad),
            request(NAME, body, tenant_id="umbrella"),
            request(NAME, body, tenant_id=None),
        ]

    def answers(self) -> Sequence[DocumentedAnswer]:
        starting = {"error": "not as expected", "status": "STARTING", "expected": ["WORKING"]}
        return [
            DocumentedAnswer(201, {"id": "true_15550001111@c.us_A"}, AttemptStatus.ACCEPTED),
            DocumentedAnswer(429, {"statusCode": 429, "message": "Too Many Requests"}, AttemptStatus.RETRYABLE, 60),
            DocumentedAnswer(422, starting, AttemptStatus.RETRYABLE, 5),
            DocumentedAnswer(
                503, {"statusCode": 503, "message": "no"}, AttemptStatus.RETRYABLE, 9, {"Retry-After": "9"}
            ),
            DocumentedAnswer(401, {"statusCode": 401, "message": "Unauthorized"}, AttemptStatus.PERMANENT),
            DocumentedAnswer(422, {"statusCode": 422, "message": "this engine can't"}, AttemptStatus.PERMANENT),
            DocumentedAnswer(
                400, {"statusCode": 400, "message": ["chatId should not be empty"]}, AttemptStatus.PERMANENT
            ),
            DocumentedAnswer(502, b"<html>", AttemptStatus.UNKNOWN),
        ]
