"""The session's own affairs as account events: what Wasender calls them, and the shape that each is brought into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pipeline.providers.cloud.shapes import settled
from pipeline.providers.cloud.wire import Body
from pipeline.providers.shared.fields import as_object
from pipeline.providers.times import instant
from pipeline.providers.wasender.jids import contact, phone
from pipeline.providers.wasender.people import is_group, names
from pipeline.providers.wasender.wire import Happening
from pipeline.topics.events.account_types import AccountEventType

Shaped = tuple[AccountEventType, str | None, Body]
"""The event's type, the provider's word for what happened, and the data."""

_ADDED: Final = frozenset({"add"})
_REMOVED: Final = frozenset({"remove", "leave"})


def account(found: Happening, body: Body) -> bool:
    """Makes `body` an account event. False, if the session has no such affair, or it is not built as promised."""
    shape = _SHAPES.get(found.part.event)
    made = shape(found, found.part.event.rpartition(".")[2]) if shape else None
    if made is None:
        return False
    kind, action, data = made
    body["kind"] = "account"
    body["event_type"] = kind.value
    body["event_id"] = _event_id(found, kind, action)
    body["field"] = found.part.event
    body["action"] = action
    body["data"] = data
    if found.chat and not is_group(found.chat) and kind is not AccountEventType.POLL_RESULTS:
        body["user"] = names(found.chat, "phone_number", "bsuid")
    body["timestamp"] = instant(as_object(found.item).get("date")) or found.at
    return settled(body)


def _event_id(found: Happening, kind: AccountEventType, action: str | None) -> str:
    """A call has an id and goes through its steps once; everything else is known by its content."""
    call_id = as_object(found.item).get("id")
    if kind is AccountEventType.CALL and type(call_id) is str and call_id:
        return f"wasender:{found.account}:call:{call_id}:{action}"
    return found.content_id


def _session(found: Happening, _: str) -> Shaped | None:
    told = as_object(found.item)
    status = told.get("status")
    if type(status) is not str:
        return None
    return AccountEventType.SESSION_STATUS, status.upper(), told | {"status": status.upper()}


def _qr(found: Happening, _: str) -> Shaped | None:
    """The ingress has put a fingerprint in the place of the code."""
    return (AccountEventType.SESSION_QR, None, found.item) if type(found.item) is dict else None


def _chat(found: Happening, action: str) -> Shaped | None:
    if found.chat is None:
        return None
    told, read = as_object(found.item), as_object(found.item).get("unreadCount")
    data = told | {"chat_id": told.get("id") or found.item, "action": action}
    data |= {"unread_count": read} if type(read) is int else {}
    return AccountEventType.CHAT, action, data | _seconds(told.get("conversationTimestamp"))


def _contact(found: Happening, action: str) -> Shaped | None:
    if type(found.item) is not dict or found.chat is None:
        return None
    name, number = found.item.get("name") or found.item.get("notify"), phone(found.chat)
    person = found.item | ({"full_name": name} if name else {}) | ({"phone_number": number} if number else {})
    return AccountEventType.CONTACT, action, {"type": "contact", "action": action, "contact": person}


def _group(found: Happening, action: str) -> Shaped | None:
    if type(found.item) is not dict or found.chat is None:
        return None
    item = found.item
    data = item | {"group_id": found.chat, "type": action} | _seconds(item.get("creation"))
    data |= {"description": item["desc"]} if type(item.get("desc")) is str else {}
    data |= {"participants": _people(item["participants"])} if "participants" in item else {}
    return AccountEventType.GROUP if action == "upsert" else AccountEventType.GROUP_SETTINGS, action, data


def _participants(found: Happening, _: str) -> Shaped | None:
    item = as_object(found.item)
    action, people = item.get("action"), _people(item.get("participants"))
    if type(action) is not str or found.chat is None:
        return None
    side = "added_" if action in _ADDED else "removed_" if action in _REMOVED else ""
    kept = {name: value for name, value in item.items() if name != "participants"}
    data = kept | {"group_id": found.chat, "type": action, f"{side}participants": people}
    return AccountEventType.GROUP_PARTICIPANTS, action, data


def _call(found: Happening, _: str) -> Shaped | None:
    item = as_object(found.item)
    status, video = item.get("status"), item.get("isVideo")
    if type(status) is not str:
        return None
    data = item | {"event": status, "direction": "USER_INITIATED"} | _seconds(item.get("date"))
    data |= {"video": video} if type(video) is bool else {}
    data |= {"group_id": found.chat} if is_group(found.chat) else {}
    return AccountEventType.CALL, status, data


def _poll(found: Happening, _: str) -> Shaped | None:
    item = as_object(found.item)
    poll, results = as_object(item.get("key")).get("id"), item.get("pollResult")
    if type(poll) is not str or type(results) is not list:
        return None
    return AccountEventType.POLL_RESULTS, None, item | {"poll_message_id": poll, "results": results}


def _people(found: Any) -> list[Body]:
    return [_person(each) for each in found] if type(found) is list else []


def _person(each: Any) -> Body:
    """One member, who is named by an address alone or beside his role."""
    given = each.get("id") if type(each) is dict else each
    role = each.get("admin") if type(each) is dict else None
    who = contact(given)
    named: Body = dict(names(who, "wa_id", "user_id")) if who else {}
    return named | {"input": given if type(given) is str else None} | ({"role": role} if type(role) is str else {})


def _seconds(value: object) -> Body:
    at = instant(value)
    return {"timestamp": int(at.timestamp())} if at else {}


_SHAPES: Final[dict[str, Callable[[Happening, str], Shaped | None]]] = {
    "session.status": _session,
    "qrcode.updated": _qr,
    "session.qr_code.updated": _qr,
    "chats.upsert": _chat,
    "chats.update": _chat,
    "chats.delete": _chat,
    "contacts.upsert": _contact,
    "contacts.update": _contact,
    "groups.upsert": _group,
    "groups.update": _group,
    "group-participants.update": _participants,
    "group.participants.update": _participants,
    "call": _call,
    "call.received": _call,
    "poll.results": _poll,
}
