"""The webhooks of WAHA's engines: one event each. Sources: WAHA, events; Wawp, webhooks overview."""

from __future__ import annotations

import hmac
import secrets
import time
from typing import Final

import orjson

from pipeline.sandbox.config import SandboxAccount
from pipeline.sandbox.errors import SandboxError
from pipeline.sandbox.provider import UserMessage
from pipeline.sandbox.status_queue import Update
from pipeline.sandbox.types import JsonObject
from pipeline.sandbox.waha.contents import payload
from pipeline.sandbox.waha.ids import inbound_id, jid
from pipeline.sandbox.webhooks import SignedWebhook

ACKS: Final = {"failed": -1, "pending": 0, "sent": 1, "delivered": 2, "read": 3, "played": 4}
_NAMES: Final = {-1: "ERROR", 0: "PENDING", 1: "SERVER", 2: "DEVICE", 3: "READ", 4: "PLAYED"}
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"


def enveloped(account: SandboxAccount, event: str, payload: JsonObject) -> bytes:
    """Return the body of a webhook."""
    envelope = {"id": _event_id(), "timestamp": time.time_ns() // 1_000_000, "session": account.id, "engine": "WEBJS"}
    own = {"id": own_jid(account), "pushName": "Sandbox"}
    return orjson.dumps(envelope | {"event": event, "payload": payload, "me": own, "metadata": {}})


def waha_webhook(account: SandboxAccount, body: bytes) -> SignedWebhook:
    """Return a webhook as WAHA posts it: signed, with a request id and a time in ms."""
    digest = hmac.digest(account.webhook_secret.encode(), body, "sha512").hex()
    headers = {
        "Content-Type": "application/json",
        "X-Webhook-Request-Id": secrets.token_hex(16),
        "X-Webhook-Timestamp": str(time.time_ns() // 1_000_000),
        "X-Webhook-Hmac": digest,
        "X-Webhook-Hmac-Algorithm": "sha512",
    }
    return SignedWebhook(f"/webhooks/waha/{tenant(account)}", headers, body)


def users(account: SandboxAccount, message: UserMessage) -> tuple[str, str, JsonObject]:
    """Return the id, the event and the payload of a user's message or action."""
    if len(message.contents) != 1:
        raise SandboxError(f"a webhook of {account.provider} brings one message: give one text")
    chat = jid(message.sender)
    message_id = message.id or inbound_id(chat)
    event, held = payload(message.type, message.contents[0])
    data = {"notifyName": message.name or message.sender} | held.pop("_data", {})
    common = _message(message_id, chat, own_jid(account), "") | {"fromMe": False, "source": "app", "_data": data}
    if event == "poll.vote":
        return message_id, event, {"vote": common | held.pop("vote"), **held}
    return message_id, event, common | held


def own_message(account: SandboxAccount, message_id: str, chat: str, content: JsonObject) -> JsonObject:
    """Return the message object in the response to a send."""
    body = content.get("text") or content.get("message") or content.get("caption") or ""
    made = _message(message_id, own_jid(account), chat, body if isinstance(body, str) else "")
    return made | {"fromMe": True, "source": "api", "ack": 0, "ackName": "PENDING"}


def ack(update: Update) -> JsonObject:
    """Return the event of the current step of a message."""
    number, chat = ACKS[update.step.status], update.fields["chat"]
    told = {"id": update.message_id, "from": chat, "to": chat, "participant": None, "fromMe": True}
    return told | {"ack": number, "ackName": _NAMES[number]}


def own_jid(account: SandboxAccount) -> str:
    return jid(account.display_phone_number or "15559990000")


def tenant(account: SandboxAccount) -> str:
    """Return the tenant in the ingress's path."""
    if account.tenant is None:
        raise SandboxError(f"account {account.id} has no tenant: add it to the accounts file")
    return account.tenant


def _message(message_id: str, sender: str, to: str, body: str) -> JsonObject:
    named = {"id": message_id, "timestamp": int(time.time()), "from": sender, "to": to, "participant": None}
    return named | {"body": body, "hasMedia": False, "media": None, "vCards": [], "location": None, "replyTo": None}


def _event_id() -> str:
    """Return `evt_` and 26 characters of a ULID's alphabet."""
    return "evt_" + "".join(secrets.choice(_ALPHABET) for _ in range(26))
