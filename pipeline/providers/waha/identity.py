"""The names of things: which conversation an event belongs to, and the id that it keeps on every delivery."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final, NamedTuple

import orjson

from pipeline.providers.shared.fields import flag, may_be_ours
from pipeline.providers.waha.engine import flags_of_origin, inner, other_addresses
from pipeline.providers.waha.envelope import Envelope
from pipeline.providers.waha.jids import (
    addressed,
    contact,
    is_hidden,
    is_many,
    message_id,
    normalised,
    phone,
    taken_apart,
)
from pipeline.topics.keys import account_key, conversation_key

Payload = dict[str, Any]

_HOLDERS: Final = ("vote", "after", "before")
"""What the message that an event is about may be wrapped in: poll votes, revocations."""


class Origin(NamedTuple):
    """Where an event comes from.

    Attributes:
        chat: whole JID of the chat that it happened in; None for the session's own affairs. A person whose number an
            engine names beside a linked id is known by the number.
        writer: whole JID of who wrote: the member of a group, else the chat's other side.
        linked_id: the writer's, where it is told, also beside the number.
        ours: whether the account wrote it itself, with a phone or through an API, or may have: it comes as an echo.
        surely_ours: whether it is, and nothing says otherwise.
    """

    chat: str | None
    writer: str | None
    linked_id: str | None
    ours: bool
    surely_ours: bool


def origin(payload: Payload) -> Origin:
    """Both shapes of the providers' pages are looked at, so a contact has one conversation in all kinds of events."""
    named, told = _named_chat(payload), _flags_of_origin(payload)
    ours, surely = any(map(may_be_ours, told)), bool(told) and all(map(flag, told))
    many = named is not None and is_many(named)
    person = (_named_author(payload) if many else None) or named
    if named is None or person is None or (many and person == named):
        return Origin(named, person, None, ours, surely)
    others = other_addresses(engine_data(payload), person, member=many, ours=ours)
    known = [person, *others]
    shown = next((each for each in others if phone(each)), person) if is_hidden(person) else person
    linked = next((each for each in known if is_hidden(each)), None)
    return Origin(named if many else shown, shown, linked, ours, surely)


def chat(payload: Payload) -> str | None:
    """The chat that an event happened in, a whole JID; None for the session's own affairs."""
    return origin(payload).chat


def other_side(payload: Payload) -> str | None:
    """The contact's part of the conversation key: phone number, else the JID of person, group, channel or list."""
    found = chat(payload)
    return contact(found) if found else None


def conversation(provider: str, account: str, other: str | None) -> str:
    """The partition key. A webhook that names no account has the provider's own."""
    return conversation_key(provider, account, other) if account else provider


def message_event_id(provider: str, account: str, where: str | None, bare: str) -> str:
    """WhatsApp's own id, unique for a person's messages; in groups, channels and lists beside the chat's.

    A person's address is not in it, nor is a member's: the same message comes with the number once and with the linked
    id the next time.
    """
    shared = f"{where}:" if where and is_many(where) else ""
    return f"{account_key(provider, account)}:{shared}{bare}"


def event_id(provider: str, account: str, enveloped: Envelope, part: object) -> str:
    """The provider's own id of the event; where its build gives none, the same content is the same event."""
    if enveloped.id:
        return f"{provider}:{account}:{enveloped.id}"
    place = orjson.dumps([enveloped.event, str(enveloped.at), part], option=orjson.OPT_SORT_KEYS)
    return f"{provider}:{account}:hash-{blake2b(place, digest_size=16).hexdigest()}"


def _named_chat(payload: Payload) -> str | None:
    composite = taken_apart(payload.get("id")) or taken_apart(_holder(payload).get("id"))
    if composite:
        return composite.chat
    named = addressed(payload.get("chatId")) or normalised(inner(payload, "group").get("id"))
    return named or _correspondent(payload) or normalised(message_id(payload.get("id")))


def _named_author(payload: Payload) -> str | None:
    holder = _holder(payload)
    for name in ("participant", "author", "senderId"):
        found = addressed(payload.get(name)) or addressed(holder.get(name))
        if found:
            return found
    composite = taken_apart(holder.get("id"))
    return composite.participant if composite else None


def _flags_of_origin(payload: Payload) -> list[Any]:
    """All that says whether the account wrote it: the event, the message in it, that message's id, the engine."""
    holder = _holder(payload)
    composite = taken_apart(holder.get("id"))
    told = [payload.get("fromMe"), composite.from_me if composite else None, *flags_of_origin(inner(payload, "_data"))]
    if holder is not payload:
        told.append(holder.get("fromMe"))
    return [each for each in told if each is not None]


def _holder(payload: Payload) -> Payload:
    """The message that an event is about: in a field of the event, or the event itself."""
    for name in _HOLDERS:
        held = payload.get(name)
        if type(held) is dict and held.get("id"):
            return held
    return payload


def _correspondent(payload: Payload) -> str | None:
    """The other end of a message or call: whom it went to, if it was ours."""
    ours = may_be_ours(payload.get("fromMe"))
    return addressed(payload.get("to" if ours else "from")) or addressed(payload.get("from"))


def engine_data(payload: Payload) -> Payload:
    """The engine's own data, of the event or of the message in it."""
    return inner(payload, "_data") or inner(_holder(payload), "_data")
