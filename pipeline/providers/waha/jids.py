"""JIDs and message ids, as WAHA's engines write them.

    15550001111@c.us                a person by phone number; `@s.whatsapp.net` inside an engine's data is the same
    777000111@lid                   a person whose number is hidden
    120363000000000001@g.us         a group
    120363111111111111@newsletter   a channel
    status@broadcast                broadcast lists, and everybody's statuses

A message's id is composite: `{fromMe}_{chat}_{id}[_{participant}]`, e.g. `false_15550001111@c.us_3EB0AAAA`.

Sources: Wawp, webhooks overview (JID reference); WAHA, chat ids and message ids.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from pipeline.providers.shared.fields import identifier
from pipeline.topics.numbers import phone_digits

STORIES: Final = "status@broadcast"
"""Where people show what all their contacts may see."""

_PERSON: Final = "@c.us"
_SAME: Final = {"s.whatsapp.net": "c.us"}
_MANY: Final = ("@g.us", "@broadcast", "@newsletter")
_DIRECTION: Final = {"true": True, "false": False}


class MessageId(NamedTuple):
    """A composite message id, taken apart. `participant`: who wrote it, in a group."""

    from_me: bool
    chat: str
    bare: str
    participant: str | None


def normalised(value: object) -> str | None:
    """A JID in full and in its one spelling: without the device (`:12`), people at `c.us`. None for what is none."""
    return _normalised(value) if type(value) is str and "@" in value else None


def addressed(value: object) -> str | None:
    """A JID where a bare phone number is a person's as well: recipients, and fields that can hold nothing else."""
    found = normalised(value)
    if found or type(value) is not str:
        return found
    digits = phone_digits(value)
    return digits + _PERSON if digits else None


def contact(jid: str) -> str:
    """The person's part of a partition key: the phone number where there is one, else the whole JID."""
    return phone(jid) or jid


def recipient_contact(recipient: str) -> str:
    """The same of whom a send names, by phone number or JID."""
    jid = addressed(recipient)
    return contact(jid) if jid else recipient


def phone(jid: str) -> str | None:
    """The phone number, digits only, that a person's JID holds."""
    user = jid.removesuffix(_PERSON)
    return user if user != jid and _is_number(user) else None


def is_many(jid: str) -> bool:
    """Whether several people read there: a group, a channel, a broadcast list."""
    return jid.endswith(_MANY)


def is_group(jid: str) -> bool:
    return jid.endswith("@g.us")


def is_hidden(jid: str) -> bool:
    return jid.endswith("@lid")


def message_id(value: object) -> str | None:
    """A message's id as a string; some engines put an object around it."""
    return identifier(value.get("_serialized") if type(value) is dict else value)


def bare_id(value: object) -> str | None:
    """WhatsApp's own id of a message: what a composite id has behind the chat; an id of any other form as it is."""
    composite = taken_apart(value)
    return composite.bare if composite else message_id(value)


def taken_apart(value: object) -> MessageId | None:
    """The parts of a composite id; None for an id of any other form."""
    given = message_id(value)
    return _taken_apart(given) if given else None


@lru_cache(maxsize=4096)
def _normalised(value: str) -> str | None:
    """Kept, because the same few people are named again and again."""
    user, _, server = value.rpartition("@")
    user, server = user.partition(":")[0], _SAME.get(server, server)
    if server == "c.us":
        user = phone_digits(user) or user
    return f"{user}@{server}" if user and server else None


@lru_cache(maxsize=256)
def _taken_apart(value: str) -> MessageId | None:
    """Kept, because all that is made of one event asks for it."""
    parts = value.split("_", 3)
    if len(parts) < 3 or parts[0] not in _DIRECTION:
        return None
    chat = normalised(parts[1])
    participant = normalised(parts[3]) if len(parts) == 4 else None
    return MessageId(_DIRECTION[parts[0]], chat, parts[2], participant) if chat else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
