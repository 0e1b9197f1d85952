"""`messages[]`: what users write."""

from __future__ import annotations

from typing import Any, Final

from pipeline.providers.cloud.envelope import Part
from pipeline.providers.cloud.identity import message_event_id
from pipeline.providers.cloud.people import Person, text
from pipeline.providers.cloud.shapes import CONTENTS, MESSAGE, fits, settled
from pipeline.providers.cloud.wire import Body, instant

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
    if type(item) is not dict or not is_identified(item):
        return False
    body["kind"] = "message"
    body["event_type"] = f"message.{item['type']}"
    body["event_id"] = message_event_id(change.account, text(item["id"]))
    body["timestamp"] = instant(item["timestamp"])
    body["user"] = user(part, person)
    body["message"] = item
    return is_usual(item) or settled(body)


def is_identified(item: dict[str, Any]) -> bool:
    """Whether it names its type, itself and its time."""
    return type(item.get("type")) is str and bool(text(item.get("id"))) and instant(item.get("timestamp")) is not None


def is_usual(item: dict[str, Any]) -> bool:
    """Whether it is sure to validate as a `pipeline.topics.events.messages.Message`."""
    shape, content = CONTENTS.get(item["type"]), item.get(item["type"])
    return shape is not None and type(content) is dict and fits(content, shape) and fits(item, MESSAGE)


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
        if name in names:
            if type(value) is str:
                found[names[name]] = value
            elif told := text(value):
                found[names[name]] = told
