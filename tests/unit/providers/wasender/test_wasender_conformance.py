"""Wasender keeps what every provider promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from pipeline.providers import PROVIDERS
from pipeline.providers.base import AttemptStatus, WebhookRequest
from pipeline.testing import DocumentedAnswer, ProviderConformance
from pipeline.topics.commands import Command, CommandKind
from tests.support import wasender_webhooks as wasender
from tests.support.wasender_webhooks import SECRETS, Json, holding, key, received, request, text, webhook


class TestWasender(ProviderConformance):
    provider = PROVIDERS["wasender"]
    tenants = wasender.TENANTS
    secrets = SECRETS

    def signed(self, body: bytes, secret: str) -> WebhookRequest:
        return request(body, secret)

    def forged(self, body: bytes) -> Sequence[WebhookRequest]:
        return [
            WebhookRequest(body, {}, {}, "shop"),
            WebhookRequest(body, {"x-wasender-signature": SECRETS[0]}, {}, "shop"),
            WebhookRequest(body, {}, {"x-webhook-signature": SECRETS[0]}, "shop"),
            request(body, ""),
            request(body, "é" * 22),
            request(body, "\udce9"),
            request(body, wasender.OTHER_SECRET),
            request(body, wasender.KEY),
            request(body, SECRETS[0], "other"),
            request(body, SECRETS[0], "closed"),
            request(body, "", "closed"),
            request(body, SECRETS[0], "nobody"),
            WebhookRequest(body, {"x-webhook-signature": SECRETS[0]}, {}),
        ]

    def message(self, number: int, sender: str = wasender.ANA) -> bytes:
        return orjson.dumps(received(text(f"3EB0{number:04d}", sender, f"text {number}")))

    def batch(self) -> tuple[bytes, int]:
        """Several people, a group, an echo of our own and a type of tomorrow, in one list."""
        people = [text(f"3EB0{number:04d}", f"1555000{number % 3:04d}", f"text {number}") for number in range(6)]
        group = text("3EB0G", wasender.ANA) | {"key": key("3EB0G", remoteJid=wasender.GROUP, participant="1@lid")}
        ours = text("3EB0O") | {"key": key("3EB0O", fromMe=True)}
        hologram = holding({"hologramMessage": {}}, "3EB0H")
        messages = [*people, group, ours, hologram]
        return orjson.dumps(webhook("messages.upsert", {"messages": messages})), len(messages)

    def unknown(self) -> Sequence[bytes]:
        return [
            orjson.dumps(received(holding({"hologramMessage": {"caption": "?"}}))),
            orjson.dumps(webhook("hologram.update", {"id": "1"})),
            orjson.dumps(webhook("message.created", {"message": {"id": "1", "from": "1", "type": "text"}})),
            orjson.dumps({"hologram": {}}),
            orjson.dumps(webhook("chats.upsert", [])),
        ]

    def about(self, person: str) -> Sequence[bytes]:
        jid, ours = f"{person}@s.whatsapp.net", key("3EB0OUT", person, fromMe=True)
        reaction = {"key": ours, "reaction": {"text": "👍", "key": key("3EB0R", person)}}
        call = {"id": "CALL1", "from": jid, "status": "offer", "isVideo": False}
        return [
            self.message(1, person),
            *(
                orjson.dumps(each)
                for each in (
                    received(holding({"imageMessage": {"url": "https://x.example"}}, "3EB0I", remoteJid=jid)),
                    received(holding({"hologramMessage": {}}, "3EB0H", remoteJid=jid)),
                    webhook("messages.upsert", {"messages": [text("3EB0E", person) | {"key": key("E", person)}]}),
                    webhook("messages.upsert", {"messages": [text("3EB0O", person) | {"key": ours}]}),
                    webhook("messages.reaction", [reaction]),
                    webhook("messages.delete", {"keys": [key("3EB0D", person)]}),
                    *(webhook("messages.update", {"update": {"status": n}, "key": ours}) for n in range(6)),
                    webhook("message.sent", {"key": key("3EB0S", person, fromMe=True), "success": True}),
                    webhook("poll.results", {"key": ours, "pollResult": []}),
                    webhook("call", {"call": call}),
                    webhook("chats.update", [{"id": person, "unreadCount": 0}]),
                    webhook("chats.delete", [jid]),
                    webhook("contacts.update", [{"jid": jid, "imgUrl": "https://x.example"}]),
                    webhook("contacts.upsert", [{"id": "777@lid", "phoneNumber": jid, "name": "Ana"}]),
                )
            ),
        ]

    def answers(self) -> Sequence[DocumentedAnswer]:
        invalid = {"success": False, "message": "Validation failed", "errors": {"to": ["The to field is required."]}}
        trial = {"message": "You can only send 1 message every 1 minute.", "retry_after": 60}
        return [
            DocumentedAnswer(
                200, {"success": True, "data": {"msgId": 100000, "status": "in_progress"}}, AttemptStatus.ACCEPTED
            ),
            DocumentedAnswer(429, trial, AttemptStatus.RETRYABLE, 61),
            DocumentedAnswer(429, {}, AttemptStatus.RETRYABLE, 8, {"Retry-After": "7"}),
            DocumentedAnswer(429, {}, AttemptStatus.RETRYABLE, 6, {"X-RateLimit-Reset": "5"}),
            DocumentedAnswer(429, {}, AttemptStatus.RETRYABLE, 1),
            DocumentedAnswer(408, {}, AttemptStatus.RETRYABLE, 1),
            DocumentedAnswer(503, b"<html>", AttemptStatus.RETRYABLE, 1),
            DocumentedAnswer(521, b"<html>", AttemptStatus.RETRYABLE, 1),
            DocumentedAnswer(422, invalid, AttemptStatus.PERMANENT),
            DocumentedAnswer(401, {"message": "Invalid API key."}, AttemptStatus.PERMANENT),
            DocumentedAnswer(404, b"", AttemptStatus.PERMANENT),
            DocumentedAnswer(302, b"", AttemptStatus.PERMANENT),
            DocumentedAnswer(200, {"success": False, "message": "no"}, AttemptStatus.PERMANENT),
            DocumentedAnswer(200, {"success": True}, AttemptStatus.UNKNOWN),
            DocumentedAnswer(500, {"message": "Server Error"}, AttemptStatus.UNKNOWN),
            DocumentedAnswer(502, b"<html>", AttemptStatus.UNKNOWN),
            DocumentedAnswer(524, b"<html>", AttemptStatus.UNKNOWN),
        ]

    def command(self, kind: CommandKind = CommandKind.TEXT) -> Command:
        """What was sent is named by Wasender's own number."""
        made = super().command(kind)
        return (
            made.model_copy(update={"body": made.body | {"message_id": "100000"}})
            if "message_id" in made.body
            else made
        )

    def odd(self) -> Sequence[bytes]:
        odd: list[Any] = [None, 5, -1, 1e300, "odd", "", [], ["odd"], {}, {"id": {}}, True, [[]]]
        names = [each["event"] for each in wasender.examples()]
        places: list[Callable[[Any], Json]] = [
            lambda each: {"event": each, "data": each, "timestamp": each, "sessionId": each},
            *(lambda each, name=name: webhook(name, each, each) for name in names),
            *(lambda each, name=name: webhook(name, [each, each]) for name in names),
            *(lambda each, name=name: webhook(name, dict.fromkeys(_FIELDS, each)) for name in names),
            *(lambda each, name=name: received(holding({name: each})) for name in _CONTENTS),
            *(lambda each, name=name: received(holding({name: dict.fromkeys(_FIELDS, each)})) for name in _CONTENTS),
            *(lambda each, name=name: received(text("3EB0") | {"key": key("3EB0") | {name: each}}) for name in _FIELDS),
            *(lambda each, name=name: received(text("3EB0") | {name: each}) for name in _FIELDS),
        ]
        return [orjson.dumps(place(each)) for place in places for each in odd]


def _words(text: str) -> list[str]:
    return text.split()


_FIELDS = _words(
    "key keys messages message id remoteJid fromMe participant senderPn cleanedSenderPn senderLid participantPn msgId"
    " update status receipt userJid receiptTimestamp reaction text pushName messageTimestamp messageBody call from date"
    " pollResult jid action participants desc creation name unreadCount conversationTimestamp phoneNumber qr type"
    " contextInfo stanzaId mentionedJid externalAdReply url mimetype fileLength seconds ptt caption vcard contacts"
    " degreesLatitude degreesLongitude options singleSelectReply nativeFlowResponseMessage editedMessage success error"
)
_CONTENTS = _words(
    "conversation extendedTextMessage imageMessage audioMessage locationMessage contactMessage contactsArrayMessage"
    " reactionMessage buttonsResponseMessage listResponseMessage interactiveResponseMessage templateButtonReplyMessage"
    " pollCreationMessageV3 pollUpdateMessage orderMessage protocolMessage ephemeralMessage editedMessage"
)
