"""Identify a part: its chat, its author, and the id of the event that it becomes.

All must be the same on every delivery, even if Wasender batches the same parts differently. So they are computed from
the part itself. Wasender's webhooks have no ids.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

import orjson

from pipeline.providers.shared.fields import field, may_be_from_me
from pipeline.providers.wasender import envelope
from pipeline.providers.wasender.envelope import WebhookPart
from pipeline.providers.wasender.jids import LID, contact_key, normalize_jid, phone_number
from pipeline.topics.keys import account_key

PROVIDER: Final = "wasender"

_SENDER: Final = ("cleanedSenderPn", "cleanSenderPn", "senderPn")
_MEMBER: Final = ("cleanedParticipantPn", "cleanParticipantPn", "participantPn", "participantAlt", "participant")
_CHAT_EVENTS: Final = ("chats.", "contacts.", "groups.", "group-participants.", "group.participants.")
"""Prefixes of events whose elements name their chat by themselves."""


def resolve_contact(part: WebhookPart) -> str | None:
    """Return the contact's part of the conversation key; None for events of the session itself.

    It is a person's phone number in digits, else the normalized address: linked id, group, channel.
    """
    item = part.item
    if part.event == envelope.DELETE:
        return key_chat(item)
    if part.event.startswith(_CHAT_EVENTS):
        return _named_chat(item)
    if type(item) is not dict:
        return None
    if part.event in envelope.CALLS:
        return contact_key(item.get("chatId") or item.get("from"))
    if part.event == envelope.REACTION:
        return _reaction_chat(item)
    return key_chat(item.get("key"))


def key_chat(key: Any) -> str | None:
    """Return the chat in a message's key."""
    if type(key) is not dict:
        return None
    chat = key.get("remoteJid")
    if type(chat) is str and not normalize_jid(chat).endswith(LID):
        return contact_key(chat)
    return _linked_number(key) or contact_key(chat)


def key_member(key: Any) -> str | None:
    """Return the author in a message's key (digits or an address): the member of a group, else the chat."""
    if type(key) is not dict:
        return None
    named = [key[name] for name in _MEMBER if key.get(name)]
    return next((found for each in named if (found := phone_number(each))), None) or (
        contact_key(named[0]) if named else key_chat(key)
    )


def message_event_id(account: str, chat: str | None, message_id: str) -> str:
    """Return a message's event id: WhatsApp's own id, and in groups and channels the chat's before it.

    It does not contain a person's address, because a redelivery may name the phone number once and not the next time.
    """
    shared = f"{chat}:" if chat and "@" in chat and not chat.endswith(LID) else ""
    return f"{account_key(PROVIDER, account)}:{shared}{message_id}"


def content_event_id(account: str, part: WebhookPart, at: Any) -> str:
    """Return an id for a part without its own: equal content at the same time is the same event."""
    content = orjson.dumps([part.event, at, part.item], option=orjson.OPT_SORT_KEYS)
    return f"{account_key(PROVIDER, account)}:hash-{blake2b(content, digest_size=16).hexdigest()}"


def _linked_number(key: dict[str, Any]) -> str | None:
    """Return the phone number besides a linked id. The sender of an own message is not the contact."""
    names = ("remoteJidAlt",) if may_be_from_me(key.get("fromMe")) else (*_SENDER, "remoteJidAlt")
    return next((found for name in names if (found := phone_number(key.get(name)))), None)


def _reaction_chat(item: dict[str, Any]) -> str | None:
    """Return a reaction's chat by its own key, which names the person, else by the message's key."""
    return key_chat(field(item.get("reaction"), "key")) or key_chat(item.get("key"))


def _named_chat(item: Any) -> str | None:
    if type(item) is not dict:
        return contact_key(item)
    named = [item[name] for name in ("phoneNumber", "jid", "id") if type(item.get(name)) is str]
    return next((found for each in named if (found := phone_number(each))), None) or (
        contact_key(named[0]) if named else None
    )
