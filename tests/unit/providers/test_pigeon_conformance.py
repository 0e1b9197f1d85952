"""A provider that was made by docs/new-provider.md keeps what every provider promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from pipeline.providers.base import AttemptStatus, WebhookRequest
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import DocumentedAnswer, ProviderConformance
from tests.support.pigeon import Pigeon

SECRETS = ("current-pigeon-secret", "previous-pigeon-secret")
LOFT = {"provider": "pigeon", "id": "acme-loft", "token": "a-token", "webhook_secrets": list(SECRETS)}


def note(number: int, sender: str = "15550001111", **more: Any) -> dict[str, Any]:
    return {"id": f"N{number}", "from": sender, "at": 1_760_000_000, "note": f"text {number}"} | more


def webhook(*items: Any) -> bytes:
    return orjson.dumps({"loft": "acme-loft", "items": list(items)})


# --- suite
class TestPigeon(ProviderConformance):
    provider = Pigeon()
    tenants = Tenants(TenantsFile.model_validate({"tenants": [{"id": "acme", "accounts": [LOFT]}]}))
    secrets = SECRETS

    def signed(self, body: bytes, secret: str) -> WebhookRequest:
        return WebhookRequest(body, {"x-pigeon-secret": secret}, {}, "acme")

    def forged(self, body: bytes) -> Sequence[WebhookRequest]:
        return [
            WebhookRequest(body, {}, {}, "acme"),
            WebhookRequest(body, {"x-pigeon-secret": SECRETS[0]}, {}, "nobody"),
            WebhookRequest(body, {"x-pigeon-secret": SECRETS[0]}, {}),
            self.signed(body, ""),
            self.signed(body, SECRETS[0][:-1]),
            self.signed(body, "é"),
        ]

    def message(self, number: int, sender: str = "15550001111") -> bytes:
        return webhook(note(number, sender))

    def batch(self) -> tuple[bytes, int]:
        return webhook(*(note(number, f"1555000{number % 3:04d}") for number in range(7)), {"id": "?"}), 8

    def unknown(self) -> Sequence[bytes]:
        return [webhook({"id": "N1", "hologram": {}}), webhook("coo"), orjson.dumps({"coop": 1})]

    def odd(self) -> Sequence[bytes]:
        odd: list[Any] = [None, 5, 1e300, "odd", "", [], ["odd"], {}, True]
        items = [note(1) | {field: each} for field in note(1) for each in odd]
        return [webhook(*items), *(orjson.dumps({"items": each, "loft": each}) for each in odd)]

    def about(self, person: str) -> Sequence[bytes]:
        return [self.message(1, person), webhook({"id": "N2", "from": person, "hologram": {}})]

    def answers(self) -> Sequence[DocumentedAnswer]:
        return [
            DocumentedAnswer(201, {"id": "P1"}, AttemptStatus.ACCEPTED),
            DocumentedAnswer(429, {}, AttemptStatus.RETRYABLE, 7, {"Retry-After": "7"}),
            DocumentedAnswer(401, {"message": "who are you?"}, AttemptStatus.PERMANENT),
            DocumentedAnswer(200, {}, AttemptStatus.UNKNOWN),
            DocumentedAnswer(502, b"<html>", AttemptStatus.UNKNOWN),
        ]
