"""Build account events of the session: status, chats, contacts, groups, calls and poll results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pipeline.providers.shared.fields import as_object
from pipeline.providers.shared.shapes import validates
from pipeline.providers.shared.times import instant
from pipeline.providers.wasender.event_source import WasenderEventSource, is_group, person_field
from pipeline.providers.wasender.jids import contact_key, phone_number
from pipeline.topics.events.account_types import AccountEventType
from pipeline.topics.types import Json

AccountFields = tuple[AccountEventType, str | None, Json]
"""An account event's type, its action, and its data."""

_ADDED: Final = frozenset({"add"})
_REMOVED: Final = frozenset({"remove", "leave"})


def account_event(source: WasenderEventSource, body: Json) -> bool:
    """Make `body` an account event. Returns False for an unknown event or a malformed one."""
    shape = _BUILDERS.get(source.part.event)
    made = shape(source, source.part.event.rpartition(".")[2]) if shape else None
    if made is None:
        return False
    kind, action, data = made
    body["kind"] = "account"
    body["event_type"] = kind.value
    body["event_id"] = _event_id(source, kind, action)
    body["field"] = source.part.event
    body["action"] = action
    body["data"] = data
    if source.chat and not is_group(source.chat) and kind is not AccountEventType.POLL_RESULTS:
        body["user"] = person_field(source.chat, "phone_number", "bsuid")
    body["timestamp"] = instant(as_object(source.item).get("date")) or source.at
    return validates(body)


def _event_id(source: WasenderEventSource, kind: AccountEventType, action: str | None) -> str:
    """Return the event id. A call has an id, and each of its steps occurs once. Others are identified by content."""
    call_id = as_object(source.item).get("id")
    if kind is AccountEventType.CALL and type(call_id) is str and call_id:
        return f"wasender:{source.account}:call:{call_id}:{action}"
    return source.content_id


def _session(source: WasenderEventSource, _: str) -> AccountFields | None:
    item = as_object(source.item)
    status = item.get("status")
    if type(status) is not str:
        return None
    return AccountEventType.SESSION_STATUS, status.upper(), item | {"status": status.upper()}


def _qr(source: WasenderEventSource, _: str) -> AccountFields | None:
    """Return the code event. The ingress has replaced the code with a fingerprint."""
    return (AccountEventType.SESSION_QR, None, source.item) if type(source.item) is dict else None


def _chat(source: WasenderEventSource, action: str) -> AccountFields | None:
    if source.chat is None:
        return None
    item, read = as_object(source.item), as_object(source.item).get("unreadCount")
    data = item | {"chat_id": item.get("id") or source.item, "action": action}
    data |= {"unread_count": read} if type(read) is int else {}
    return AccountEventType.CHAT, action, data | _seconds(item.get("conversationTimestamp"))


def _contact(source: WasenderEventSource, action: str) -> AccountFields | None:
    if type(source.item) is not dict or source.chat is None:
        return None
    name, number = source.item.get("name") or source.item.get("notify"), phone_number(source.chat)
    person = source.item | ({"full_name": name} if name else {}) | ({"phone_number": number} if number else {})
    return AccountEventType.CONTACT, action, {"type": "contact", "action": action, "contact": person}


def _group(source: WasenderEventSource, action: str) -> AccountFields | None:
    if type(source.item) is not dict or source.chat is None:
        return None
    item = source.item
    data = item | {"group_id": source.chat, "type": action} | _seconds(item.get("creation"))
    data |= {"description": item["desc"]} if type(item.get("desc")) is str else {}
    data |= {"participants": _members(item["participants"])} if "participants" in item else {}
    return AccountEventType.GROUP if action == "upsert" else AccountEventType.GROUP_SETTINGS, action, data


def _participants(source: WasenderEventSource, _: str) -> AccountFields | None:
    item = as_object(source.item)
    action, people = item.get("action"), _members(item.get("participants"))
    if type(action) is not str or source.chat is None:
        return None
    side = "added_" if action in _ADDED else "removed_" if action in _REMOVED else ""
    kept = {name: value for name, value in item.items() if name != "participants"}
    data = kept | {"group_id": source.chat, "type": action, f"{side}participants": people}
    return AccountEventType.GROUP_PARTICIPANTS, action, data


def _call(source: WasenderEventSource, _: str) -> AccountFields | None:
    item = as_object(source.item)
    status, video = item.get("status"), item.get("isVideo")
    if type(status) is not str:
        return None
    data = item | {"event": status, "direction": "USER_INITIATED"} | _seconds(item.get("date"))
    data |= {"video": video} if type(video) is bool else {}
    data |= {"group_id": source.chat} if is_group(source.chat) else {}
    return AccountEventType.CALL, status, data


def _poll(source: WasenderEventSource, _: str) -> AccountFields | None:
    item = as_object(source.item)
    poll, results = as_object(item.get("key")).get("id"), item.get("pollResult")
    if type(poll) is not str or type(results) is not list:
        return None
    return AccountEventType.POLL_RESULTS, None, item | {"poll_message_id": poll, "results": results}


def _members(found: Any) -> list[Json]:
    return [_member(each) for each in found] if type(found) is list else []


def _member(each: Any) -> Json:
    """Return one member, given by an address alone or by an object with a role."""
    given = each.get("id") if type(each) is dict else each
    role = each.get("admin") if type(each) is dict else None
    who = contact_key(given)
    named: Json = dict(person_field(who, "wa_id", "user_id")) if who else {}
    return named | {"input": given if type(given) is str else None} | ({"role": role} if type(role) is str else {})


def _seconds(value: object) -> Json:
    at = instant(value)
    return {"timestamp": int(at.timestamp())} if at else {}


_BUILDERS: Final[dict[str, Callable[[WasenderEventSource, str], AccountFields | None]]] = {
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
