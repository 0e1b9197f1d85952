"""The names of things: which chat a part belongs to, who is meant, and the id of the event that it becomes.

Both must come out the same on every delivery, also when the platform batches the same parts differently, so they
are made of what a part itself says. Wasender gives its webhooks no ids.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

import orjson

from pipeline.providers.shared.fields import field, may_be_ours
from pipeline.providers.wasender import envelope
from pipeline.providers.wasender.envelope import Part
from pipeline.providers.wasender.jids import LID, contact, normalised, phone
from pipeline.topics.keys import account_key, conversation_key

PROVIDER: Final = "wasender"

_SENDER: Final = ("cleanedSenderPn", "cleanSenderPn", "senderPn")
_MEMBER: Final = ("cleanedParticipantPn", "cleanParticipantPn", "participantPn", "participantAlt", "participant")
_OWN_CHATS: Final = ("chats.", "contacts.", "groups.", "group-participants.", "group.participants.")
"""Events whose elements name their chat by themselves."""


def conversation(account: str, chat: str | None) -> str:
    """The partition key. A webhook that names no account has the provider's own."""
    return conversation_key(PROVIDER, account, chat) if account else PROVIDER


def chat_of(part: Part) -> str | None:
    """The contact's part of the conversation key; None for the session's own affairs.

    A person's phone number in digits where it is told, else the normalised address: linked id, group, channel.
    """
    item = part.item
    if part.event == envelope.DELETE:
        return key_chat(item)
    if part.event.startswith(_OWN_CHATS):
        return _named_chat(item)
    if type(item) is not dict:
        return None
    if part.event in envelope.CALLS:
        return contact(item.get("chatId") or item.get("from"))
    if part.event == envelope.REACTION:
        return _reaction_chat(item)
    return key_chat(item.get("key"))


def key_chat(key: Any) -> str | None:
    """The chat that a message's key names."""
    if type(key) is not dict:
        return None
    chat = key.get("remoteJid")
    if type(chat) is str and not normalised(chat).endswith(LID):
        return contact(chat)
    return _number_behind(key) or contact(chat)


def key_member(key: Any) -> str | None:
    """Who wrote it: in a group the member, else the chat. A phone number's digits or an address."""
    if type(key) is not dict:
        return None
    named = [key[name] for name in _MEMBER if key.get(name)]
    return next((found for each in named if (found := phone(each))), None) or (
        contact(named[0]) if named else key_chat(key)
    )


def message_event_id(account: str, chat: str | None, message_id: str) -> str:
    """WhatsApp's own id, unique for a person's messages; in groups and channels beside the chat's.

    A person's address is not in it: the same message may name the phone number in one webhook and not in the next.
    """
    shared = f"{chat}:" if chat and "@" in chat and not chat.endswith(LID) else ""
    return f"{account_key(PROVIDER, account)}:{shared}{message_id}"


def content_event_id(account: str, part: Part, at: Any) -> str:
    """For parts without an id of their own: the same content at the same time is the same event."""
    content = orjson.dumps([part.event, at, part.item], option=orjson.OPT_SORT_KEYS)
    return f"{account_key(PROVIDER, account)}:hash-{blake2b(content, digest_size=16).hexdigest()}"


def _number_behind(key: dict[str, Any]) -> str | None:
    """The phone number that a webhook tells beside a linked id. Of our own messages the sender is not the chat."""
    names = ("remoteJidAlt",) if may_be_ours(key.get("fromMe")) else (*_SENDER, "remoteJidAlt")
    return next((found for name in names if (found := phone(key.get(name)))), None)


def _reaction_chat(item: dict[str, Any]) -> str | None:
    """By the reaction's own key, which names the person; by that of the message where it is missing."""
    return key_chat(field(item.get("reaction"), "key")) or key_chat(item.get("key"))


def _named_chat(item: Any) -> str | None:
    if type(item) is not dict:
        return contact(item)
    named = [item[name] for name in ("phoneNumber", "jid", "id") if type(item.get(name)) is str]
    return next((found for each in named if (found := phone(each))), None) or (contact(named[0]) if named else None)
