"""Who is on the other side of a part: the ids it names, and the contact beside it that belongs to them.

Source: Cloud API, business-scoped user ids. Phone numbers may be hidden, `contacts[]` may be missing and is not
parallel to the messages, so it is matched by id; the only contact is taken where a message names nobody.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from pipeline.topics.numbers import phone_digits

Person: TypeAlias = dict[str, Any]
"""An element of `contacts[]`."""
People: TypeAlias = dict[str, Person]
"""The only contact under the empty string; several by their `wa_id` and their `user_id`."""
Named: TypeAlias = tuple[str, str]
"""Business-scoped user id and phone number, each possibly empty."""

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
"""Where the elements of a list name a person. Elements of other lists are nobody's."""


def people(contacts: object) -> People:
    """The contacts of one value, whatever its `contacts` is."""
    if type(contacts) is not list:
        return {}
    if len(contacts) == 1:
        return {_ONLY: contacts[0]} if type(contacts[0]) is dict else {}
    index: People = {}
    for contact in contacts:
        if type(contact) is dict:
            _enter(index, contact)
    return index


def ids(name: str | None, item: dict[str, Any]) -> Named | None:
    """The person that an element of the list `name` names."""
    fields = _FIELDS.get(name) if name else None
    if fields is None:
        return None
    if name == "calls" and item.get("direction") == "BUSINESS_INITIATED":
        fields = _RECIPIENT
    user_id, phone = item.get(fields[0]), item.get(fields[1])
    return user_id if type(user_id) is str else text(user_id), phone if type(phone) is str else text(phone)


def find(named: Named, index: People) -> Person | None:
    """The contact of this person."""
    user_id, phone = named
    only = index.get(_ONLY)
    if only is None:
        return (index.get(user_id) if user_id else None) or (index.get(phone) if phone else None)
    if (user_id and only.get("user_id") == user_id) or (phone and only.get("wa_id") == phone):
        return only
    return None if user_id or phone else only


def text(value: object) -> str:
    """An id as a string: some fields of some webhooks carry numbers. Empty for anything else."""
    if type(value) is str:
        return value
    return str(value) if type(value) is int else ""


def digits(phone: str) -> str:
    """A phone number as `wa_id` writes it; anything that is no phone number (a group's id) stays as it is."""
    return phone_digits(phone) or phone


def _enter(index: People, contact: Person) -> None:
    for name in ("wa_id", "user_id"):
        key = contact.get(name)
        if type(key) is str and key:
            index.setdefault(key, contact)
