"""Cloud API webhooks as Meta would make, sign and post them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

NUMBER = "106540352242922"
BUSINESS = "102290129340398"
SECRET = b"sandbox-app-secret"


def text(contact: str, message_id: str, body: str) -> dict[str, Any]:
    """One element of `messages[]`."""
    return {"from": contact, "id": message_id, "timestamp": "1760000000", "type": "text", "text": {"body": body}}


def status(contact: str, message_id: str, name: str = "delivered") -> dict[str, Any]:
    """One element of `statuses[]`."""
    return {"id": message_id, "status": name, "timestamp": "1760000001", "recipient_id": contact}


def change(
    messages: Sequence[Mapping[str, Any]] = (), statuses: Sequence[Mapping[str, Any]] = (), number: str = NUMBER
) -> dict[str, Any]:
    """One element of `changes[]`, with the contacts of its messages."""
    value: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15559990000", "phone_number_id": number},
    }
    if messages:
        contacts = dict.fromkeys(str(message["from"]) for message in messages)
        value["contacts"] = [{"profile": {"name": "Ana"}, "wa_id": contact} for contact in contacts]
        value["messages"] = list(messages)
    if statuses:
        value["statuses"] = list(statuses)
    return {"field": "messages", "value": value}


def webhook(*entries: Sequence[Mapping[str, Any]]) -> bytes:
    """A whole body; each entry is a list of changes."""
    made = [{"id": BUSINESS, "changes": list(changes)} for changes in entries]
    return orjson.dumps({"object": "whatsapp_business_account", "entry": made})


def signed(body: bytes, secret: bytes = SECRET) -> dict[str, str]:
    """The headers that go with `body`."""
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"}
