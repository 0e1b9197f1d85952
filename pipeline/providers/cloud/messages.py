"""Build message events from `messages[]`."""

from __future__ import annotations

from typing import Any, Final

from pipeline.providers.cloud.contacts import Contact, id_text
from pipeline.providers.cloud.envelope import Part
from pipeline.providers.cloud.identity import message_event_id
from pipeline.providers.cloud.shapes import CONTENTS, MESSAGE
from pipeline.providers.cloud.times import unix_time
from pipeline.providers.shared.shapes import fits, validates
from pipeline.topics.types import Json

_PERSON: Final = {
    "wa_id": "phone_number",
    "user_id": "bsuid",
    "parent_user_id": "parent_bsuid",
    "identity_key_hash": "identity_key_hash",
}
_PROFILE: Final = {"name": "profile_name", "username": "username", "country_code": "country_code"}
_SENDER: Final = {"from": "phone_number", "from_user_id": "bsuid", "from_parent_user_id": "parent_bsuid"}


def message_event(part: Part, person: Contact | None, body: Json) -> bool:
    """Make `body` a message event. Returns False if its type has no model or the message is malformed."""
    change, _, item = part
    if type(item) is not dict or not is_identified(item):
        return False
    body["kind"] = "message"
    body["event_type"] = f"message.{item['type']}"
    body["event_id"] = message_event_id(change.account, id_text(item["id"]))
    body["timestamp"] = unix_time(item["timestamp"])
    body["user"] = event_user(part, person)
    body["message"] = item
    return has_common_shape(item) or validates(body)


def is_identified(item: dict[str, Any]) -> bool:
    """Return True if the message has a type, an id and a time."""
    return (
        type(item.get("type")) is str and bool(id_text(item.get("id"))) and unix_time(item.get("timestamp")) is not None
    )


def has_common_shape(item: dict[str, Any]) -> bool:
    """Return True if it is sure to validate as a `pipeline.topics.events.messages.Message`."""
    shape, content = CONTENTS.get(item["type"]), item.get(item["type"])
    return shape is not None and type(content) is dict and fits(content, shape) and fits(item, MESSAGE)


def event_user(part: Part, person: Contact | None) -> dict[str, str]:
    """Return the sender, by the message's own fields before its contact's; empty without a sender."""
    found: dict[str, str] = {}
    if person is not None:
        profile = person.get("profile")
        if type(profile) is dict:
            _copy_names(found, profile, _PROFILE)
        _copy_names(found, person, _PERSON)
    if part[1] == "messages" and type(part[2]) is dict:
        _copy_names(found, part[2], _SENDER)
    return found


def _copy_names(found: dict[str, str], source: dict[str, Any], names: dict[str, str]) -> None:
    for name, value in source.items():
        if name in names:
            if type(value) is str:
                found[names[name]] = value
            elif text := id_text(value):
                found[names[name]] = text
