"""The names of things: which conversation an event belongs to, and the id that it keeps on every delivery."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import chain
from typing import Any, Final

import orjson

from pipeline.providers.waha.envelope import Envelope
from pipeline.providers.waha.jids import addressed, contact, is_hidden, message_id, normalised, phone, taken_apart
from topics.keys import conversation_key

Payload = dict[str, Any]

_HOLDERS: Final = ("vote", "after", "before")
"""What the message that an event is about may be wrapped in: poll votes, revocations."""
_CHAT_ALIASES: Final = ("remoteJidAlt", "senderPn")
_AUTHOR_ALIASES: Final = ("participantAlt", "participantPn", "senderPn")


def chat(payload: Payload) -> str | None:
    """The chat that an event happened in, a whole JID; None for the session's own affairs.

    Both shapes of the providers' pages are looked at, so a contact has one conversation in all kinds of events.
    """
    return next((found for found in _chats(payload) if found), None)


def author(payload: Payload) -> str | None:
    """Who wrote, in a chat of many: a whole JID."""
    composite = taken_apart(payload.get("id"))
    named = (payload.get(name) for name in ("participant", "author", "senderId"))
    found = next((jid for jid in map(addressed, named) if jid), composite.participant if composite else None)
    return _shown(found, payload, _AUTHOR_ALIASES) if found else None


def is_ours(payload: Payload) -> bool:
    """Whether the account itself wrote it, with a phone or through an API: it comes back as an echo."""
    told = payload.get("fromMe")
    if type(told) is bool:
        return told
    holder = next((each for each in _holders(payload) if each.get("id")), payload)
    composite = taken_apart(holder.get("id"))
    told = holder.get("fromMe")
    return told if type(told) is bool else composite is not None and composite.from_me


def other_side(payload: Payload) -> str | None:
    """The contact's part of the conversation key: phone number, else the JID of person, group, channel or list."""
    found = chat(payload)
    return contact(found) if found else None


def conversation(provider: str, account: str, other: str | None) -> str:
    """The partition key. A webhook that names no account has the provider's own."""
    return conversation_key(provider, account, other) if account else provider


def message_event_id(provider: str, account: str, message: str) -> str:
    """One for a message, whether it came as `message`, as `message.any` or as both."""
    return f"{provider}:{account}:{message}"


def status_event_id(provider: str, account: str, message: str, status: str, participant: str | None) -> str:
    """A status happens once for each message and recipient; in a group, once for each member."""
    event_id = f"{provider}:{account}:{message}:{status}"
    return f"{event_id}:{participant}" if participant else event_id


def event_id(provider: str, account: str, enveloped: Envelope, part: object) -> str:
    """The provider's own id of the event; where its build gives none, the same content is the same event."""
    if enveloped.id:
        return f"{provider}:{account}:{enveloped.id}"
    place = orjson.dumps([enveloped.event, str(enveloped.at), part], option=orjson.OPT_SORT_KEYS)
    return f"{provider}:{account}:hash-{blake2b(place, digest_size=16).hexdigest()}"


def inner(payload: Payload, *names: str) -> Payload:
    """The object under a path of names; empty where there is none."""
    found: Any = payload
    for name in names:
        found = found.get(name) if type(found) is dict else None
    return found if type(found) is dict else {}


def _chats(payload: Payload) -> Iterator[str | None]:
    for holder in chain((payload,), _holders(payload)):
        composite = taken_apart(holder.get("id"))
        if composite:
            yield _shown(composite.chat, holder, _CHAT_ALIASES)
    yield addressed(payload.get("chatId"))
    yield normalised(inner(payload, "group").get("id"))
    yield _shown(_correspondent(payload), payload, _CHAT_ALIASES)
    yield normalised(message_id(payload.get("id")))


def _holders(payload: Payload) -> Iterator[Payload]:
    return (inner(payload, name) for name in _HOLDERS)


def _correspondent(payload: Payload) -> str | None:
    """The other end of a message or call: whom it went to, if it was ours."""
    ours = payload.get("fromMe") is True
    return addressed(payload.get("to" if ours else "from")) or addressed(payload.get("from"))


def _shown(jid: str | None, payload: Payload, aliases: tuple[str, ...]) -> str | None:
    """The same person by phone number, where an engine's data names both."""
    if jid is None or not is_hidden(jid):
        return jid
    key = inner(payload, "_data", "key")
    named = (normalised(key.get(alias)) for alias in aliases)
    return next((found for found in named if found and phone(found)), jid)
