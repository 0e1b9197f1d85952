"""Wasender's webhooks: users' messages, and statuses of messages to them. Source: Wasender, webhooks."""

from __future__ import annotations

import secrets
import time
from typing import Any, Final

import orjson

from pipeline.sandbox.config import SandboxAccount
from pipeline.sandbox.errors import SandboxError
from pipeline.sandbox.provider import UserMessage
from pipeline.sandbox.status_queue import Update
from pipeline.sandbox.types import JsonObject
from pipeline.sandbox.wasender.contents import protocol_message
from pipeline.sandbox.webhooks import SignedWebhook

STATUSES: Final = {"failed": 0, "pending": 1, "sent": 2, "delivered": 3, "read": 4, "played": 5}

Event = tuple[str, Any]
"""An event's name and its data."""


def new_id() -> str:
    """Return a message id as WhatsApp Web makes them."""
    return "3EB0" + secrets.token_hex(9).upper()


def message_webhook(account: SandboxAccount, message: UserMessage) -> tuple[list[str], SignedWebhook]:
    """Return the ids of a user's messages, and one webhook that contains them all."""
    first = [message.id] if message.id else []
    ids = first + [new_id() for _ in message.contents[len(first) :]]
    event, data = _DOINGS.get(message.type, _written)(message, ids)
    return ids, _webhook(account, event, data, int(time.time()))


def status_webhook(update: Update) -> SignedWebhook:
    """Return the webhook of the current step: the first as `message.sent`, the others by number, with a time in ms."""
    key = {"id": update.fields["id"], "fromMe": True, "remoteJid": update.fields["chat"]}
    status = update.step.status
    if status == "sent":
        numbered = key | {"msgId": int(update.message_id)}
        data = {"key": numbered, "success": True, "error": None, "status": "sent"}
        return _webhook(update.account, "message.sent", data, int(update.at))
    return _webhook(
        update.account, "messages.update", {"update": {"status": _number(status)}, "key": key}, int(update.at * 1000)
    )


def _written(message: UserMessage, ids: list[str]) -> Event:
    made = [_message(message, *pair) for pair in zip(ids, message.contents, strict=True)]
    return ("messages.received", {"messages": made[0]}) if len(made) == 1 else ("messages.upsert", {"messages": made})


def _reaction(message: UserMessage, ids: list[str]) -> Event:
    content = message.contents[0]
    reacted = _key(message, content["message_id"]) | {"fromMe": True}
    reaction = {"text": content.get("emoji", ""), "key": _key(message, ids[0])}
    return "messages.reaction", [{"key": reacted, "reaction": reaction}]


def _deletion(message: UserMessage, _: list[str]) -> Event:
    return "messages.delete", {"keys": [_key(message, message.contents[0]["original_message_id"])]}


_DOINGS: Final = {"reaction": _reaction, "revoke": _deletion}


def _message(message: UserMessage, message_id: str, content: Any) -> JsonObject:
    text = content["body"] if message.type == "text" else content.get("caption", "") if type(content) is dict else ""
    return {
        "key": _key(message, message_id),
        "messageBody": text,
        "message": protocol_message(message.type, content),
        "pushName": message.name or message.sender,
        "messageTimestamp": int(time.time()),
    }


def _key(message: UserMessage, message_id: str) -> JsonObject:
    jid = f"{message.sender}@s.whatsapp.net"
    named = {"senderPn": jid, "cleanedSenderPn": message.sender, "addressingMode": "pn"}
    return {"id": message_id, "fromMe": False, "remoteJid": jid, **named}


def _number(status: str) -> int:
    if status not in STATUSES:
        raise SandboxError(f"Wasender has no status {status!r}: use one of {', '.join(STATUSES)}")
    return STATUSES[status]


def _webhook(account: SandboxAccount, event: str, data: Any, timestamp: int) -> SignedWebhook:
    """Return a webhook. Its `sessionId` is the session's API key, as documented."""
    if account.tenant is None:
        raise SandboxError(f"account {account.id} has no tenant: add it to the accounts file")
    body = orjson.dumps({"event": event, "sessionId": account.token, "timestamp": timestamp, "data": data})
    headers = {"Content-Type": "application/json", "X-Webhook-Signature": account.webhook_secret}
    return SignedWebhook(f"/webhooks/wasender/{account.tenant}", headers, body)
