"""Wawp keeps what every provider promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from pipeline.providers import PROVIDERS
from pipeline.providers.base import DeliveryStatus, WebhookRequest
from tests.unit import gateway_webhooks as gateway
from tests.unit.gateway_webhooks import SECRETS, Json, request, text, webhook
from tests.unit.provider_conformance import ProviderConformance, Said

NAME = "wawp"


class TestWawp(ProviderConformance):
    provider = PROVIDERS[NAME]
    tenants = gateway.tenants(NAME)
    secrets = SECRETS

    def signed(self, body: bytes, secret: str) -> WebhookRequest:
        return request(NAME, body, secret)

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

    def message(self, number: int, sender: str = "15550001111") -> bytes:
        return orjson.dumps(webhook("message", text(number, f"{sender}@c.us", f"text {number}")))

    def batch(self) -> tuple[bytes, int]:
        """There are no batches: a webhook is one event."""
        return self.message(1), 1

    def about(self, person: str) -> Sequence[bytes]:
        return [orjson.dumps(each) for each in gateway.about(f"{person}@c.us")]

    def answers(self) -> Sequence[Said]:
        return [
            Said(200, {"id": "true_15550001111@c.us_A"}, DeliveryStatus.ACCEPTED),
            Said(200, {"error": "daily limit reached"}, DeliveryStatus.RETRYABLE, 60),
            Said(403, {"code": "subscription_required", "message": "no"}, DeliveryStatus.PERMANENT),
            Said(404, {"code": "invalid_session", "message": "no"}, DeliveryStatus.PERMANENT),
            Said(401, {"code": "missing_access_token", "message": "no"}, DeliveryStatus.PERMANENT),
            Said(200, {"success": False}, DeliveryStatus.PERMANENT),
            Said(502, b"<html>", DeliveryStatus.UNKNOWN),
        ]

    def unknown(self) -> Sequence[bytes]:
        hologram = text(1) | {"body": None, "type": "hologram", "hologram": {}}
        return [
            orjson.dumps(webhook("message", hologram)),
            orjson.dumps(webhook("hologram.update", {"id": "1"})),
            orjson.dumps({"session": gateway.SESSION, "hologram": {}}),
        ]

    def odd(self) -> Sequence[bytes]:
        odd: list[Any] = [None, 5, "odd", [], ["odd"], {}, {"id": {}}, True, 1e300, -1]
        events = [
            "message",
            "message.ack",
            "message.reaction",
            "message.edited",
            "message.revoked",
            "poll.vote",
            "call.received",
        ]
        places: list[Callable[[Any], Json]] = [
            lambda each: dict.fromkeys(webhook("message", {}), each),
            lambda each: webhook("message", each, me=each, timestamp=each, id=each),
            *(lambda each, event=event: webhook(event, dict.fromkeys(_fields(), each)) for event in events),
            *(lambda each, name=name: webhook("message", text(1) | {name: each}) for name in _fields()),
        ]
        return [orjson.dumps(place(each)) for place in places for each in odd]


def _fields() -> list[str]:
    """Every field of a payload that is looked at."""
    looked_at = "type media location vCards replyTo participant author reaction messageId editedMessageId after before"
    return [*text(1), *looked_at.split(), "revokedMessageId", "vote", "poll", "ack", "ackName", "chatId", "group"]
