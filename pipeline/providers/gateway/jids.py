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
"""The chat of stories, which all contacts of their author see."""

_PERSON: Final = "@c.us"
_SAME: Final = {"s.whatsapp.net": "c.us"}
_MANY: Final = ("@g.us", "@broadcast", "@newsletter")
_DIRECTION: Final = {"true": True, "false": False}


class CompositeMessageId(NamedTuple):
    """The parts of a composite message id.

    Attributes:
        participant: the author, in a group.
    """

    from_me: bool
    chat: str
    bare: str
    participant: str | None


def normalize_jid(value: object) -> str | None:
    """Return the canonical JID: without the device (`:12`), people at `c.us`. None for anything else."""
    return _normalize_jid(value) if type(value) is str and "@" in value else None


def to_jid(value: object) -> str | None:
    """Return the JID of a value that may also be a bare phone number, as a recipient is."""
    found = normalize_jid(value)
    if found or type(value) is not str:
        return found
    digits = phone_digits(value)
    return digits + _PERSON if digits else None


def contact_key(jid: str) -> str:
    """Return the person's part of a partition key: the phone number, else the whole JID."""
    return phone_number(jid) or jid


def recipient_contact(recipient: str) -> str:
    """Return the contact's part of a partition key for a command's recipient, a phone number or JID."""
    jid = to_jid(recipient)
    return contact_key(jid) if jid else recipient


def phone_number(jid: str) -> str | None:
    """Return the phone number of a person's JID, in digits; None for any other JID."""
    user = jid.removesuffix(_PERSON)
    return user if user != jid and _is_number(user) else None


def has_many_members(jid: str) -> bool:
    """Return True for a group, a channel or a broadcast list."""
    return jid.endswith(_MANY)


def is_group(jid: str) -> bool:
    return jid.endswith("@g.us")


def is_linked_id(jid: str) -> bool:
    return jid.endswith("@lid")


def message_id(value: object) -> str | None:
    """Return a message's id as a string, which some engines wrap in an object."""
    return identifier(value.get("_serialized") if type(value) is dict else value)


def bare_id(value: object) -> str | None:
    """Return WhatsApp's own id of a message: the third part of a composite id, or an id of any other form."""
    composite = parse_message_id(value)
    return composite.bare if composite else message_id(value)


def parse_message_id(value: object) -> CompositeMessageId | None:
    """Return the parts of a composite id; None for an id of any other form."""
    given = message_id(value)
    return _parse_message_id(given) if given else None


@lru_cache(maxsize=4096)
def _normalize_jid(value: str) -> str | None:
    """Cached because the same few people are named again and again."""
    user, _, server = value.rpartition("@")
    user, server = user.partition(":")[0], _SAME.get(server, server)
    if server == "c.us":
        user = phone_digits(user) or user
    return f"{user}@{server}" if user and server else None


@lru_cache(maxsize=256)
def _parse_message_id(value: str) -> CompositeMessageId | None:
    """Cached because every builder of one event asks for it."""
    parts = value.split("_", 3)
    if len(parts) < 3 or parts[0] not in _DIRECTION:
        return None
    chat = normalize_jid(parts[1])
    participant = normalize_jid(parts[3]) if len(parts) == 4 else None
    return CompositeMessageId(_DIRECTION[parts[0]], chat, parts[2], participant) if chat else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
