"""Identify an event: its conversation, and the id that it has on every delivery."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final, NamedTuple

import orjson

from pipeline.providers.gateway.engine import flags_of_origin, nested_object, other_addresses
from pipeline.providers.gateway.envelope import WebhookEnvelope
from pipeline.providers.gateway.jids import (
    contact_key,
    has_many_members,
    is_linked_id,
    message_id,
    normalize_jid,
    parse_message_id,
    phone_number,
    to_jid,
)
from pipeline.providers.shared.fields import flag, may_be_from_me
from pipeline.topics.keys import account_key
from pipeline.topics.types import Json

_SUBJECT_FIELDS: Final = ("vote", "after", "before")
"""Fields that contain the message of an event: of poll votes and revocations."""


class MessageOrigin(NamedTuple):
    """The origin of an event.

    Attributes:
        chat: whole JID of the chat; None for events of the session itself. A person whose number is known besides a
        linked
            id is identified by the number.
        author: whole JID of the author: the member of a group, else the contact.
        linked_id: the author's linked id, if it is known.
        may_be_own: True if the account itself wrote it, or may have: then it becomes an echo.
        is_own: True if the account itself wrote it and no flag contradicts.
    """

    chat: str | None
    author: str | None
    linked_id: str | None
    may_be_own: bool
    is_own: bool


def resolve_origin(payload: Json) -> MessageOrigin:
    """Return the origin. Both forms of payloads are read, so that a contact has one conversation in all events."""
    named, flags = _named_chat(payload), _flags_of_origin(payload)
    ours, surely = any(map(may_be_from_me, flags)), bool(flags) and all(map(flag, flags))
    many = named is not None and has_many_members(named)
    person = (_named_author(payload) if many else None) or named
    if named is None or person is None or (many and person == named):
        return MessageOrigin(named, person, None, ours, surely)
    others = other_addresses(engine_data(payload), person, member=many, ours=ours)
    known = [person, *others]
    shown = next((each for each in others if phone_number(each)), person) if is_linked_id(person) else person
    linked = next((each for each in known if is_linked_id(each)), None)
    return MessageOrigin(named if many else shown, shown, linked, ours, surely)


def chat_jid(payload: Json) -> str | None:
    """Return the whole JID of an event's chat; None for events of the session itself."""
    return resolve_origin(payload).chat


def resolve_contact(payload: Json) -> str | None:
    """Return the contact's part of the conversation key: phone number, else JID of person, group, channel or list."""
    found = chat_jid(payload)
    return contact_key(found) if found else None


def message_event_id(provider: str, account: str, where: str | None, bare: str) -> str:
    """Return a message's event id: WhatsApp's own id, and in groups, channels and lists the chat's before it.

    It does not contain the address of a person or member, because a redelivery may name the phone number once and the
    linked id the next time.
    """
    shared = f"{where}:" if where and has_many_members(where) else ""
    return f"{account_key(provider, account)}:{shared}{bare}"


def event_id(provider: str, account: str, envelope: WebhookEnvelope, part: object) -> str:
    """Return the provider's own id of the event. In builds without one, equal content is the same event."""
    if envelope.id:
        return f"{provider}:{account}:{envelope.id}"
    place = orjson.dumps([envelope.event, str(envelope.timestamp), part], option=orjson.OPT_SORT_KEYS)
    return f"{provider}:{account}:hash-{blake2b(place, digest_size=16).hexdigest()}"


def _named_chat(payload: Json) -> str | None:
    composite = parse_message_id(payload.get("id")) or parse_message_id(_subject_message(payload).get("id"))
    if composite:
        return composite.chat
    named = to_jid(payload.get("chatId")) or normalize_jid(nested_object(payload, "group").get("id"))
    return named or _correspondent(payload) or normalize_jid(message_id(payload.get("id")))


def _named_author(payload: Json) -> str | None:
    holder = _subject_message(payload)
    for name in ("participant", "author", "senderId"):
        found = to_jid(payload.get(name)) or to_jid(holder.get(name))
        if found:
            return found
    composite = parse_message_id(holder.get("id"))
    return composite.participant if composite else None


def _flags_of_origin(payload: Json) -> list[Any]:
    """Return all flags of whether the account wrote it: of the event, its message, the message's id and the engine."""
    holder = _subject_message(payload)
    composite = parse_message_id(holder.get("id"))
    flags = [
        payload.get("fromMe"),
        composite.from_me if composite else None,
        *flags_of_origin(nested_object(payload, "_data")),
    ]
    if holder is not payload:
        flags.append(holder.get("fromMe"))
    return [each for each in flags if each is not None]


def _subject_message(payload: Json) -> Json:
    """Return the message that an event is about: in a field of the event, or the event itself."""
    for name in _SUBJECT_FIELDS:
        held = payload.get(name)
        if type(held) is dict and held.get("id"):
            return held
    return payload


def _correspondent(payload: Json) -> str | None:
    """Return the contact of a message or call: the recipient if the account itself sent it."""
    ours = may_be_from_me(payload.get("fromMe"))
    return to_jid(payload.get("to" if ours else "from")) or to_jid(payload.get("from"))


def engine_data(payload: Json) -> Json:
    """Return the engine's own data, of the event or of the message in it."""
    return nested_object(payload, "_data") or nested_object(_subject_message(payload), "_data")
