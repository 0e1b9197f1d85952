"""What happens to the session, or beside the messages: calls, groups, presence, chats, labels, echoes.

Both shapes are read, WAHA's and the simpler one of Wawp's pages. What the models don't name stays in `data`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from pipeline.providers.cloud.shapes import settled
from pipeline.providers.cloud.wire import Body
from pipeline.providers.times import instant
from pipeline.providers.waha.engine import inner
from pipeline.providers.waha.envelope import SESSION_STATUS
from pipeline.providers.waha.happening import Happening
from pipeline.providers.waha.identity import Payload, chat
from pipeline.providers.waha.jids import STORIES, addressed, is_many, message_id
from pipeline.providers.waha.messages import NAMES, event_id_of, written
from pipeline.providers.waha.people import names, user

Told = tuple[str, str | None, dict[str, Any]]
"""The type of an account event, the word for what happened, and the fields of the type's model."""

_PRESENCES: Final = {"composing": "typing", "available": "online", "unavailable": "offline"}


def account_event(found: Happening, body: Body) -> bool:
    """Makes `body` an account event. False for what is none."""
    told = _told(found)
    if told is None:
        return False
    kind, action, fields = told
    at = instant(found.payload.get("timestamp"))
    when = {"timestamp": int(at.timestamp())} if at else {}
    body |= {
        "kind": "account",
        "event_type": kind,
        "event_id": event_id_of(found),
        "field": found.event,
        "action": action,
        "data": found.payload | when | {name: value for name, value in fields.items() if value is not None},
    }
    person = _person(found)
    body |= {"user": person} if person else {}
    return _with_message(found, body) if kind == _ECHO else settled(body)


_ECHO: Final = "echo"


def _told(found: Happening) -> Told | None:
    payload = found.payload
    if found.event in NAMES:
        if found.origin.ours:
            return _ECHO, _text(payload.get("source")), {}
        return ("user.story", None, {}) if found.origin.chat == STORIES else None
    tell = _TELLERS.get(found.event)
    return tell(found.event, payload) if tell else None


def _with_message(found: Happening, body: Body) -> bool:
    """An echo brings its message along, if that has a model."""
    made = written(found)
    if made is not None:
        body["message"] = made
    return settled(body)


def _person(found: Happening) -> dict[str, str]:
    """The person that it is about, if it is about one; a group is none."""
    where = found.origin.chat
    return {} if where is None or is_many(where) else user(found.origin, found.payload)


def _session(_: str, payload: Payload) -> Told:
    status = _text(payload.get("status"))
    return "session.status", status, {"status": status.upper() if status else None}


def _presence(_: str, payload: Payload) -> Told:
    """One chat; in a group several people, of which the first is named and all are kept."""
    several = payload.get("presences")
    first = several[0] if type(several) is list and several and type(several[0]) is dict else {}
    word = _text(first.get("lastKnownPresence") or payload.get("type"))
    presence = _PRESENCES.get(word, word) if word else None
    seen = instant(first.get("lastSeen"))
    fields = {
        "chat_id": chat(payload),
        "participant": addressed(first.get("participant") or payload.get("from")),
        "presence": presence,
        "last_seen": int(seen.timestamp()) if seen else None,
    }
    return "user.presence", presence, fields


def _call(event: str, payload: Payload) -> Told:
    action, caller = event.removeprefix("call."), addressed(payload.get("from"))
    named: dict[str, Any] = {"from": None, **names(caller, "from", "from_user_id")} if caller else {}
    video = payload.get("isVideo")
    fields = {"event": action, "direction": "USER_INITIATED", "video": video if type(video) is bool else None}
    return "call", action, named | fields


def _group(event: str, payload: Payload) -> Told:
    """WAHA: the account itself joined or left. Wawp's pages: some member did, whom they name."""
    group, action = inner(payload, "group"), event.rpartition(".")[2]
    members = list(_members(payload.get("participants")))
    if event.endswith((".participants", ".participants.update")):
        action = _text(payload.get("type") or payload.get("action")) or "update"
        kind = "group.participants"
    else:
        kind = "group.participants" if members and not group else "group"
    fields = {
        "group_id": chat(payload),
        "type": action,
        "subject": _text(group.get("subject")),
        "description": _text(group.get("description")),
        "invite_link": _text(group.get("invite")),
        "participants": members or list(_members(group.get("participants"))),
    }
    return kind, action, fields


def _members(given: object) -> Iterator[dict[str, Any]]:
    """Participants as objects, as JIDs, and as an object with numbers for names: each has been shown."""
    items = given.values() if type(given) is dict else given if type(given) is list else ()
    for item in items:
        jid = addressed(item.get("id") if type(item) is dict else item)
        if jid:
            role = _text(item.get("role")) if type(item) is dict else None
            yield names(jid, "wa_id", "user_id") | {"jid": jid} | ({"role": role} if role else {})


def _archive(_: str, payload: Payload) -> Told:
    action = "unarchive" if payload.get("archived") is False else "archive"
    return "chat", action, {"chat_id": chat(payload), "action": action}


def _label(event: str, payload: Payload) -> Told:
    action = {"label.upsert": "upsert", "label.deleted": "delete", "label.chat.added": "add"}.get(event, "remove")
    held = inner(payload, "label")
    fields = {
        "action": action,
        "label_id": payload.get("labelId") or payload.get("id"),
        "name": _text(payload.get("name") or held.get("name")),
        "color": _text(payload.get("colorHex") or held.get("colorHex")),
        "chat_id": addressed(payload.get("chatId")),
    }
    return "label", action, fields


def _response(_: str, payload: Payload) -> Told:
    held = inner(payload, "eventResponse")
    answer, guests, at = _text(held.get("response")), held.get("extraGuestCount"), instant(held.get("timestampMs"))
    fields = {
        "event_message_id": message_id(inner(payload, "eventCreationKey").get("id")),
        "response": answer,
        "extra_guests": guests if type(guests) is int else None,
        "timestamp": int(at.timestamp()) if at else None,
    }
    return "event.response", answer, fields


_TELLERS: Final[dict[str, Callable[[str, Payload], Told]]] = {
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
