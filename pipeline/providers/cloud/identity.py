"""The names of things: which conversation a part belongs to, and the id of the event that it becomes.

Both must come out the same on every delivery, also when the platform batches the same parts differently, so they
are made of what a part itself says and of its own contact, never of its neighbours.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

import orjson

from pipeline.providers.cloud.envelope import Part
from pipeline.providers.cloud.people import Person, digits, find, ids
from pipeline.topics.keys import conversation_key

PROVIDER: Final = "cloud"


def other_side(part: Part) -> tuple[str | None, Person | None]:
    """The contact's part of the conversation key, and their element of `contacts[]` if it is there.

    Group id, else business-scoped user id, else phone number; None for the account's own affairs.
    """
    change, name, item = part
    if type(item) is not dict:
        return None, None
    named = ids(name, item)
    if named is None:
        return _group(item), None
    user_id, phone = named
    person = find(named, change.people) if change.people else None
    contact = _group(item) or user_id or _text(person, "user_id") or _previous_user_id(item)
    return contact or digits(phone) or _text(person, "wa_id") or None, person


def conversation(account: str, contact: str | None) -> str:
    """The partition key. A webhook that names no account has the provider's own."""
    return conversation_key(PROVIDER, account, contact) if account else PROVIDER


def message_event_id(account: str, message_id: str) -> str:
    return f"cloud:{account}:{message_id}"


def status_event_id(account: str, message_id: str, status: str, participant: str | None) -> str:
    """A status happens once for each message and recipient; in a group, once for each member."""
    event_id = f"cloud:{account}:{message_id}:{status}"
    return f"{event_id}:{participant}" if participant else event_id


def call_event_id(part: Part) -> str | None:
    """A call begins and ends once, and takes each status once. None for a call that names neither itself nor that."""
    change, name, item = part
    call, what = item.get("id"), item.get("event" if name == "calls" else "status")
    if type(call) is not str or type(what) is not str or not call or not what:
        return None
    return (
        f"cloud:{change.account}:{call}:{what}" if name == "calls" else f"cloud:{change.account}:{call}:status:{what}"
    )


def content_event_id(part: Part) -> str:
    """For parts without an id of their own: the same content in the same place is the same event.

    The entry's time is a part of it where the content has none: a template may be paused twice in a week.
    """
    change, name, item = part
    place = [change.business_id, change.field, name, item]
    if type(change.entry) is dict and "time" in change.entry and not (type(item) is dict and "timestamp" in item):
        place.append(change.entry["time"])
    content = orjson.dumps(place, option=orjson.OPT_SORT_KEYS)
    return f"cloud:{change.account}:hash-{blake2b(content, digest_size=16).hexdigest()}"


def _group(item: dict[str, Any]) -> str | None:
    group = item.get("recipient_id" if item.get("recipient_type") == "group" else "group_id")
    return group if type(group) is str else None


def _text(person: Person | None, name: str) -> str | None:
    found = person.get(name) if person else None
    return found if type(found) is str else None


def _previous_user_id(item: dict[str, Any]) -> str | None:
    """A change of number is announced without contacts; it belongs to the conversation that the user had."""
    system = item.get("system")
    return _text(system, "previous_user_id") if type(system) is dict else None
