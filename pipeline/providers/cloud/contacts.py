"""Find the contact of a part: the ids that the part names, and the element of `contacts[]` that belongs to them.

Source: Cloud API, business-scoped user ids. Phone numbers may be hidden. `contacts[]` may be missing and is not
parallel to the messages, so contacts are matched by id. A single contact also belongs to a message that names nobody.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from pipeline.topics.numbers import phone_digits

Contact: TypeAlias = dict[str, Any]
"""An element of `contacts[]`."""
ContactIndex: TypeAlias = dict[str, Contact]
"""Contacts by their `wa_id` and `user_id`; a single contact by the empty string."""
PersonIds: TypeAlias = tuple[str, str]
"""Business-scoped user id and phone number; each may be empty."""

_ONLY: Final = ""
_SENDER: Final = ("from_user_id", "from")
_RECIPIENT: Final = ("to_user_id", "to")
_FIELDS: Final = {
    "messages": _SENDER,
    "statuses": ("recipient_user_id", "recipient_id"),
    "message_echoes": _RECIPIENT,
    "user_preferences": ("user_id", "wa_id"),
    "calls": _SENDER,
}
"""Fields that name a person in the elements of a list. Elements of other lists name nobody."""


def index_contacts(contacts: object) -> ContactIndex:
    """Index the contacts of one value, whose `contacts` may be malformed."""
    if type(contacts) is not list:
        return {}
    if len(contacts) == 1:
        return {_ONLY: contacts[0]} if type(contacts[0]) is dict else {}
    index: ContactIndex = {}
    for contact in contacts:
        if type(contact) is dict:
            _add_to_index(index, contact)
    return index


def person_ids(name: str | None, item: dict[str, Any]) -> PersonIds | None:
    """Return the ids of the person that an element of the list `name` names."""
    fields = _FIELDS.get(name) if name else None
    if fields is None:
        return None
    if name == "calls" and item.get("direction") == "BUSINESS_INITIATED":
        fields = _RECIPIENT
    user_id, phone = item.get(fields[0]), item.get(fields[1])
    return user_id if type(user_id) is str else id_text(user_id), phone if type(phone) is str else id_text(phone)


def find_contact(named: PersonIds, index: ContactIndex) -> Contact | None:
    """Return the contact of this person; None without one."""
    user_id, phone = named
    only = index.get(_ONLY)
    if only is None:
        return (index.get(user_id) if user_id else None) or (index.get(phone) if phone else None)
    if (user_id and only.get("user_id") == user_id) or (phone and only.get("wa_id") == phone):
        return only
    return None if user_id or phone else only


def id_text(value: object) -> str:
    """Return an id as a string, because some webhooks contain numbers; empty for anything else."""
    if type(value) is str:
        return value
    return str(value) if type(value) is int else ""


def to_wa_id(phone: str) -> str:
    """Return a phone number in the form of `wa_id`. Anything else (a group's id) is returned unchanged."""
    return phone_digits(phone) or phone


def _add_to_index(index: ContactIndex, contact: Contact) -> None:
    for name in ("wa_id", "user_id"):
        key = contact.get(name)
        if type(key) is str and key:
            index.setdefault(key, contact)
