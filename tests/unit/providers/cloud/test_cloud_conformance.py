"""The Cloud API keeps what every provider promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from pipeline.providers import PROVIDERS
from pipeline.providers.base import AttemptStatus, WebhookRequest
from pipeline.testing import DocumentedAnswer, ProviderConformance
from tests.support.cloud_webhooks import (
    SECRETS,
    Json,
    contact,
    merged,
    signature,
    signed,
    status,
    tenants,
    text,
    value,
    webhook,
)


class TestCloud(ProviderConformance):
    provider = PROVIDERS["cloud"]
    tenants = tenants()
    secrets = SECRETS

    def signed(self, body: bytes, secret: str) -> WebhookRequest:
        return signed(body, secret)

    def forged(self, body: bytes) -> Sequence[WebhookRequest]:
        good = signature(body)
        bad = [good[:-1], good[:-2], good.removeprefix("sha256="), good.replace("sha256", "sha1"), "sha256=" + "é" * 64]
        return [
            WebhookRequest(body, {}, {}),
            WebhookRequest(body[:-1], {"x-hub-signature-256": good}, {}),
            *(WebhookRequest(body, {"x-hub-signature-256": header}, {}) for header in bad),
        ]

    def message(self, number: int, sender: str = "15550001111") -> bytes:
        message = text(f"wamid.{number}", sender, f"text {number}")
        return orjson.dumps(webhook(value(contacts=[contact(sender)], messages=[message])))

    def batch(self) -> tuple[bytes, int]:
        first = value(
            contacts=[contact("1"), contact("2")], messages=[text(f"wamid.{n}", str(n % 2 + 1)) for n in range(6)]
        )
        second = value(statuses=[status("wamid.O", name, "1") for name in ("sent", "delivered", "read")])
        third = value("2", messages=[text("wamid.0", "1")], errors=[{"code": 130429, "title": "Rate limit hit"}])
        return orjson.dumps(merged(webhook(first, second), webhook(third))), 11

    def about(self, person: str) -> Sequence[bytes]:
        reaction = text("wamid.3", person, type="reaction", reaction={"message_id": "wamid.O", "emoji": "👍"})
        call = {"id": "wacid.1", "from": person, "event": "connect", "timestamp": "1760000000"}
        preference = {"wa_id": person, "category": "marketing_messages", "value": "stop", "timestamp": 1760000000}
        values: list[tuple[str, Json]] = [
            ("messages", {"contacts": [contact(person)], "messages": [text("wamid.1", person)]}),
            ("messages", {"messages": [text("wamid.2", person, type="image", image={"id": "1"})]}),
            ("messages", {"messages": [reaction]}),
            ("messages", {"messages": [text("wamid.4", person, type="hologram", hologram={})]}),
            *(("messages", {"statuses": [status("wamid.O", name, person)]}) for name in ("sent", "read", "failed")),
            ("calls", {"calls": [call]}),
            ("user_preferences", {"user_preferences": [preference]}),
        ]
        return [orjson.dumps(webhook(value(**lists), field=field)) for field, lists in values]

    def answers(self) -> Sequence[DocumentedAnswer]:
        def error(code: int) -> Json:
            return {"error": {"message": "no", "type": "OAuthException", "code": code}}

        return [
            DocumentedAnswer(200, {"messages": [{"id": "wamid.1"}]}, AttemptStatus.ACCEPTED),
            DocumentedAnswer(400, error(130429), AttemptStatus.RETRYABLE, 1),
            DocumentedAnswer(400, error(131056), AttemptStatus.RETRYABLE, 1),
            DocumentedAnswer(500, error(131000), AttemptStatus.RETRYABLE),
            DocumentedAnswer(503, error(2), AttemptStatus.RETRYABLE, 7, {"Retry-After": "7"}),
            DocumentedAnswer(401, error(190), AttemptStatus.PERMANENT),
            DocumentedAnswer(400, error(131047), AttemptStatus.PERMANENT),
            DocumentedAnswer(400, error(100), AttemptStatus.PERMANENT),
            DocumentedAnswer(404, {}, AttemptStatus.PERMANENT),
            DocumentedAnswer(502, b"<html>", AttemptStatus.UNKNOWN),
        ]

    def unknown(self) -> Sequence[bytes]:
        return [
            orjson.dumps(webhook(value(messages=[text("wamid.1", type="hologram", hologram={})]))),
            orjson.dumps(webhook(value(holograms=[{"id": "1"}]))),
            orjson.dumps(webhook({"event": "HOLOGRAM"}, field="holograms")),
        ]

    def odd(self) -> Sequence[bytes]:
        odd: list[Any] = [None, 5, "odd", [], ["odd"], {}, True]
        places: list[Callable[[Any], Json]] = [
            lambda each: {"entry": each},
            lambda each: {"entry": [each]},
            lambda each: {"entry": [{"id": each, "changes": each}]},
            lambda each: {"entry": [{"id": "1", "changes": [{"field": each, "value": each}]}]},
            lambda each: webhook(
                {"metadata": each, "contacts": each, "messages": each, "statuses": each, "errors": each}
            ),
            lambda each: webhook(value(contacts=[each], messages=[each], statuses=[each], errors=[each])),
            lambda each: webhook(value(messages=[dict.fromkeys(text("wamid.1"), each) | {"type": "text"}])),
            lambda each: webhook(value(statuses=[dict.fromkeys(status("wamid.1"), each)])),
        ]
        return [orjson.dumps(place(each)) for place in places for each in odd]
