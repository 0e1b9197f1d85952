"""What WAHA and Wawp share of what every provider promises: the form of their webhooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from pipeline.providers.base import WebhookRequest
from pipeline.testing import ProviderConformance
from tests.support import gateway_webhooks as gateway
from tests.support.gateway_engines import ENGINES, engine_webhook, gows, noweb
from tests.support.gateway_webhooks import SECRETS, Json, request, text, webhook


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
        """By number, and by linked id where an engine names the number beside it."""
        named = [*gateway.about(f"{person}@c.us"), *hidden(f"{person}@s.whatsapp.net")]
        return [orjson.dumps(each) for each in named]

    def unknown(self) -> Sequence[bytes]:
        hologram = text(1) | {"body": None, "type": "hologram", "hologram": {}}
        return [
            orjson.dumps(webhook("message", hologram)),
            orjson.dumps(webhook("message", text(2) | {"body": "", "_data": {"type": "e2e_notification"}})),
            *(orjson.dumps(engine_webhook(engine, {"hologramMessage": {}}, number=3)) for engine in ENGINES),
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
            *(lambda each, name=name: webhook("message", text(1) | {"_data": {name: each}}) for name in _ENGINES_OWN),
            *(lambda each, engine=engine: engine_webhook(engine, each) for engine in ENGINES),
            *(
                lambda each, engine=engine, name=name: engine_webhook(engine, {name: each})
                for engine in ENGINES
                for name in _CONTENTS
            ),
        ]
        return [orjson.dumps(place(each)) for place in places for each in odd]


_ENGINES_OWN = ("type", "key", "Info", "message", "Message", "id", "messageStubType", "ctwaContext", "selectedId")
_CONTENTS = ("conversation", "extendedTextMessage", "imageMessage", "listResponseMessage", "protocolMessage", "x")


def _fields() -> list[str]:
    """Every field of a payload that is looked at."""
    looked_at = "type media location vCards replyTo participant author reaction messageId editedMessageId after before"
    return [*text(1), *looked_at.split(), "revokedMessageId", "vote", "poll", "ack", "ackName", "chatId", "group"]


def hidden(number: str) -> list[Json]:
    """Webhooks of engines that name a person by linked id and tell the number beside it."""
    lid, other = "777000111@lid", {"Sender": "777000111@lid", "SenderAlt": number}
    receipt = {"id": f"true_{lid}_R", "fromMe": True, "ack": 3, "_data": {"Chat": lid, "IsFromMe": False, **other}}
    told = [
        ("message", noweb({"conversation": "A"}, 21, lid, remoteJidAlt=number)),
        ("message", noweb({"conversation": "B"}, 22, lid, senderPn=number)),
        ("message", noweb({}, 23, lid, remoteJidAlt=number)),
        ("message.any", gows({"conversation": "C"}, 24, lid, SenderAlt=number)),
        ("message.edited", gows({"conversation": "D"}, 25, lid, SenderAlt=number) | {"editedMessageId": "E"}),
        ("message.ack", receipt),
        ("call.received", {"id": "CALL2", "from": lid, "_data": {"CallCreator": lid, "CallCreatorAlt": number}}),
    ]
    return [webhook(event, payload, id=f"evt_hidden_{at}") for at, (event, payload) in enumerate(told)]
