"""Identify a part: its conversation, and the id of the event that it becomes.

Both must be the same on every delivery, even if Meta batches the same parts differently. So they are computed from the
part itself and from its own contact, never from other parts.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

import orjson

from pipeline.providers.cloud.contacts import Contact, find_contact, person_ids, to_wa_id
from pipeline.providers.cloud.envelope import Part

PROVIDER: Final = "cloud"


def resolve_contact(part: Part) -> tuple[str | None, Contact | None]:
    """Return the contact's part of the conversation key, and the contact's element of `contacts[]` if there is one.

    The part is the group id, else the business-scoped user id, else the phone number; None for events of the account
    itself.
    """
    change, name, item = part
    if type(item) is not dict:
        return None, None
    named = person_ids(name, item)
    if named is None:
        return _group(item), None
    user_id, phone = named
    person = find_contact(named, change.contacts) if change.contacts else None
    contact = _group(item) or user_id or _text(person, "user_id") or _previous_user_id(item)
    return contact or to_wa_id(phone) or _text(person, "wa_id") or None, person


def message_event_id(account: str, message_id: str) -> str:
    return f"cloud:{account}:{message_id}"


def status_event_id(account: str, message_id: str, status: str, participant: str | None) -> str:
    """Return the id of a status. Each status occurs once per message and recipient; in a group, once per member."""
    event_id = f"cloud:{account}:{message_id}:{status}"
    return f"{event_id}:{participant}" if participant else event_id


def call_event_id(part: Part) -> str | None:
    """Return the id of a call's event. Each event occurs once per call. None without a call id or an event name."""
    change, name, item = part
    call, what = item.get("id"), item.get("event" if name == "calls" else "status")
    if type(call) is not str or type(what) is not str or not call or not what:
        return None
    return (
        f"cloud:{change.account}:{call}:{what}" if name == "calls" else f"cloud:{change.account}:{call}:status:{what}"
    )


def content_event_id(part: Part) -> str:
    """Return an id for a part without its own: equal content in the same place is the same event.

    The entry's time is included if the content has no time, because e.g. a template may be paused twice in a week.
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


def _text(person: Contact | None, name: str) -> str | None:
    found = person.get(name) if person else None
    return found if type(found) is str else None


def _previous_user_id(item: dict[str, Any]) -> str | None:
    """Return the former user id of a change of number, which is announced without contacts."""
    system = item.get("system")
    return _text(system, "previous_user_id") if type(system) is dict else None
