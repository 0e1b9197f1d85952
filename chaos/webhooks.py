"""Cloud API webhooks as Meta would make and sign them."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson

from chaos.accounts import SECRET, Number

ASIDE: Final = "aside"
"""The text of a message that is to be ignored, behind the place of the message that it comes before."""
CRASH: Final = " !"
"""Stands between the place and what a message does to its process."""

BUSY: Final = "busy"
"""Follows the place of a message whose handler takes a moment, as most of a real one do."""


class Contact(NamedTuple):
    """Somebody who writes to one of the numbers."""

    number: Number
    phone: str


class Message(NamedTuple):
    """An input. `place` counts the messages of its contact from 0; the text begins with it.

    An aside, or a message that crashes its handler, has the place of the message before which it comes, and is to have
    no effect.
    """

    contact: Contact
    place: int
    text: str

    @property
    def aside(self) -> bool:
        return self.text.endswith(ASIDE)

    @property
    def crashes(self) -> bool:
        """True if it ends or blocks the process that handles it."""
        return CRASH in self.text

    @property
    def id(self) -> str:
        name = f"wamid.chaos.{self.contact.number.id}.{self.contact.phone}.{self.place}"
        if self.crashes:
            return f"{name}.crash"
        return f"{name}.{ASIDE}" if self.aside else name


def webhook(messages: Sequence[Message]) -> bytes:
    """Return one body with all of them, in this order for each contact: an entry for each number."""
    numbers = dict.fromkeys(message.contact.number for message in messages)
    entries = [_entry(number, [m for m in messages if m.contact.number == number]) for number in numbers]
    return orjson.dumps({"object": "whatsapp_business_account", "entry": entries})


def signed(body: bytes) -> dict[str, str]:
    """Return the headers that go with `body`."""
    digest = hmac.digest(SECRET.encode(), body, "sha256").hex()
    return {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"}


def _entry(number: Number, messages: Sequence[Message]) -> dict[str, Any]:
    phones = dict.fromkeys(message.contact.phone for message in messages)
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": f"1444{number.id}", "phone_number_id": number.id},
        "contacts": [{"profile": {"name": "Ana"}, "wa_id": phone} for phone in phones],
        "messages": [_message(message) for message in messages],
    }
    return {"id": number.business, "changes": [{"field": "messages", "value": value}]}


def _message(message: Message) -> dict[str, Any]:
    told = {"id": message.id, "timestamp": "1760000000", "type": "text", "text": {"body": message.text}}
    return {"from": message.contact.phone, **told}
