"""Build account events: session, calls, groups, presence, chats, labels and echoes.

Both WAHA's form and the simpler form of Wawp's documentation are read. `data` keeps the fields without a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from pipeline.providers.gateway.engine import nested_object
from pipeline.providers.gateway.envelope import SESSION_STATUS
from pipeline.providers.gateway.event_source import GatewayEventSource, event_user, person_field
from pipeline.providers.gateway.identity import chat_jid
from pipeline.providers.gateway.jids import STORIES, has_many_members, message_id, to_jid
from pipeline.providers.gateway.messages import MESSAGE_EVENTS, build_message, stable_event_id
from pipeline.providers.shared.shapes import validates
from pipeline.providers.shared.times import instant
from pipeline.topics.types import Json

AccountFields = tuple[str, str | None, dict[str, Any]]
"""An account event's type, its action, and the fields of the type's model."""

_PRESENCES: Final = {"composing": "typing", "available": "online", "unavailable": "offline"}


def account_event(source: GatewayEventSource, body: Json) -> bool:
    """Make `body` an account event. Returns False for other events."""
    built = _account_fields(source)
    if built is None:
        return False
    kind, action, fields = built
    at = instant(source.payload.get("timestamp"))
    when = {"timestamp": int(at.timestamp())} if at else {}
    body |= {
        "kind": "account",
        "event_type": kind,
        "event_id": stable_event_id(source),
        "field": source.event,
        "action": action,
        "data": source.payload | when | {name: value for name, value in fields.items() if value is not None},
    }
    person = _person(source)
    body |= {"user": person} if person else {}
    return _with_message(source, body) if kind == _ECHO else validates(body)


_ECHO: Final = "echo"


def _account_fields(source: GatewayEventSource) -> AccountFields | None:
    payload = source.payload
    if source.event in MESSAGE_EVENTS:
        if source.origin.may_be_own:
            return _ECHO, _text(payload.get("source")), {}
        return ("user.story", None, {}) if source.origin.chat == STORIES else None
    tell = _BUILDERS.get(source.event)
    return tell(source.event, payload) if tell else None


def _with_message(source: GatewayEventSource, body: Json) -> bool:
    """Add the message of an echo, if it has a model."""
    made = build_message(source)
    if made is not None:
        body["message"] = made
    return validates(body)


def _person(source: GatewayEventSource) -> dict[str, str]:
    """Return the user that the event is about; empty for a group."""
    where = source.origin.chat
    return {} if where is None or has_many_members(where) else event_user(source.origin, source.payload)


def _session(_: str, payload: Json) -> AccountFields:
    status = _text(payload.get("status"))
    return "session.status", status, {"status": status.upper() if status else None}


def _presence(_: str, payload: Json) -> AccountFields:
    """Read one chat. A group has several people: the first one is named, and `data` keeps all."""
    several = payload.get("presences")
    first = several[0] if type(several) is list and several and type(several[0]) is dict else {}
    word = _text(first.get("lastKnownPresence") or payload.get("type"))
    presence = _PRESENCES.get(word, word) if word else None
    seen = instant(first.get("lastSeen"))
    fields = {
        "chat_id": chat_jid(payload),
        "participant": to_jid(first.get("participant") or payload.get("from")),
        "presence": presence,
        "last_seen": int(seen.timestamp()) if seen else None,
    }
    return "user.presence", presence, fields


def _call(event: str, payload: Json) -> AccountFields:
    action, caller = event.removeprefix("call."), to_jid(payload.get("from"))
    named: dict[str, Any] = {"from": None, **person_field(caller, "from", "from_user_id")} if caller else {}
    video = payload.get("isVideo")
    fields = {"event": action, "direction": "USER_INITIATED", "video": video if type(video) is bool else None}
    return "call", action, named | fields


def _group(event: str, payload: Json) -> AccountFields:
    """Read a group event. In WAHA the account itself joined or left; in Wawp's documentation the named members did."""
    group, action = nested_object(payload, "group"), event.rpartition(".")[2]
    members = list(_members(payload.get("participants")))
    if event.endswith((".participants", ".participants.update")):
        action = _text(payload.get("type") or payload.get("action")) or "update"
        kind = "group.participants"
    else:
        kind = "group.participants" if members and not group else "group"
    fields = {
        "group_id": chat_jid(payload),
        "type": action,
        "subject": _text(group.get("subject")),
        "description": _text(group.get("description")),
        "invite_link": _text(group.get("invite")),
        "participants": members or list(_members(group.get("participants"))),
    }
    return kind, action, fields


def _members(given: object) -> Iterator[dict[str, Any]]:
    """Yield participants, which are objects, JIDs, or an object with numbers as names."""
    items = given.values() if type(given) is dict else given if type(given) is list else ()
    for item in items:
        jid = to_jid(item.get("id") if type(item) is dict else item)
        if jid:
            role = _text(item.get("role")) if type(item) is dict else None
            yield person_field(jid, "wa_id", "user_id") | {"jid": jid} | ({"role": role} if role else {})


def _archive(_: str, payload: Json) -> AccountFields:
    action = "unarchive" if payload.get("archived") is False else "archive"
    return "chat", action, {"chat_id": chat_jid(payload), "action": action}


def _label(event: str, payload: Json) -> AccountFields:
    action = {"label.upsert": "upsert", "label.deleted": "delete", "label.chat.added": "add"}.get(event, "remove")
    held = nested_object(payload, "label")
    fields = {
        "action": action,
        "label_id": payload.get("labelId") or payload.get("id"),
        "name": _text(payload.get("name") or held.get("name")),
        "color": _text(payload.get("colorHex") or held.get("colorHex")),
        "chat_id": to_jid(payload.get("chatId")),
    }
    return "label", action, fields


def _response(_: str, payload: Json) -> AccountFields:
    held = nested_object(payload, "eventResponse")
    answer, guests, at = _text(held.get("response")), held.get("extraGuestCount"), instant(held.get("timestampMs"))
    fields = {
        "event_message_id": message_id(nested_object(payload, "eventCreationKey").get("id")),
        "response": answer,
        "extra_guests": guests if type(guests) is int else None,
        "timestamp": int(at.timestamp()) if at else None,
    }
    return "event.response", answer, fields


_BUILDERS: Final[dict[str, Callable[[str, Json], AccountFields]]] = {
    SESSION_STATUS: _session,
    "presence.update": _presence,
    **dict.fromkeys(("call.received", "call.accepted", "call.rejected"), _call),
    **dict.fromkeys(("group.v2.join", "group.v2.leave", "group.v2.update", "group.v2.participants"), _group),
    **dict.fromkeys(("group.join", "group.leave", "group.participants.update"), _group),
    "chat.archive": _archive,
    **dict.fromkeys(("label.upsert", "label.deleted", "label.chat.added", "label.chat.deleted"), _label),
    **dict.fromkeys(("event.response", "event.response.failed"), _response),
    "message.waiting": lambda _, payload: ("message.waiting", None, {}),
    "status.update": lambda _, payload: ("user.story", None, {}),
}


def _text(value: object) -> str | None:
    return value if type(value) is str and value else None
