"""What WAHA and Wawp share of what every provider promises: the form of their webhooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from pipeline.providers.base import WebhookRequest
from tests.unit import gateway_webhooks as gateway
from tests.unit.gateway_webhooks import SECRETS, Json, request, text, webhook
from tests.unit.provider_conformance import ProviderConformance


class GatewayConformance(ProviderConformance):
    """Give the provider, its tenants, its forgeries and its answers; the webhooks are here."""

    secrets = SECRETS

    def signed(self, body: bytes, secret: str) -> WebhookRequest:
        return request(self.provider.name, body, secret)

    def message(self, number: int, sender: str = "15550001111") -> bytes:
        return orjson.dumps(webhook("message", text(number, f"{sender}@c.us", f"text {number}")))

    def batch(self) -> tuple[bytes, int]:
        """There are no batches: a webhook is one event."""
        return self.message(1), 1

    def about(self, person: str) -> Sequence[bytes]:
        return [orjson.dumps(each) for each in gateway.about(f"{person}@c.us")]

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
