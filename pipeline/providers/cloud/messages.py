"""`messages[]`: what users write."""

from __future__ import annotations

from typing import Any, Final

from pipeline.providers.cloud.envelope import Part
from pipeline.providers.cloud.identity import message_event_id
from pipeline.providers.cloud.people import Person
from pipeline.providers.cloud.shapes import MESSAGE, fits, settled
from pipeline.providers.cloud.wire import Body, instant

_TYPED: Final = {"text": ("message.text", "body")}
"""The types that have a model: the event's type, and the string that the content has to have."""

_PERSON: Final = {
    "wa_id": "phone_number",
    "user_id": "bsuid",
    "parent_user_id": "parent_bsuid",
    "identity_key_hash": "identity_key_hash",
}
_PROFILE: Final = {"name": "profile_name", "username": "username", "country_code": "country_code"}
_SENDER: Final = {"from": "phone_number", "from_user_id": "bsuid", "from_parent_user_id": "parent_bsuid"}


def message(part: Part, person: Person | None, body: Body) -> bool:
    """Makes `body` a message event. False, if it can't be one: no model for its type, or not built as promised."""
    change, _, item = part
    if type(item) is not dict:
        return False
    kind, message_id, at = item.get("type"), item.get("id"), instant(item.get("timestamp"))
    typed = _TYPED.get(kind) if type(kind) is str else None
    if typed is None or type(message_id) is not str or not message_id or at is None:
        return False
    event_type, needed = typed
    body["kind"] = "message"
    body["event_type"] = event_type
    body["event_id"] = message_event_id(change.account, message_id)
    body["timestamp"] = at
    body["user"] = user(part, person)
    body["message"] = item
    content = item.get(kind)
    usual = type(content) is dict and type(content.get(needed)) is str and fits(item, MESSAGE)
    return usual or settled(body)


def user(part: Part, person: Person | None) -> dict[str, str]:
    """Who sent it: what the message says of them, over what their contact says. Empty, if nobody did."""
    found: dict[str, str] = {}
    if person is not None:
        profile = person.get("profile")
        if type(profile) is dict:
            _take(found, profile, _PROFILE)
        _take(found, person, _PERSON)
    if part[1] == "messages" and type(part[2]) is dict:
        _take(found, part[2], _SENDER)
    return found


def _take(found: dict[str, str], source: dict[str, Any], names: dict[str, str]) -> None:
    for name, value in source.items():
        if name in names and type(value) is str:
            found[names[name]] = value
