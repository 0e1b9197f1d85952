"""`statuses[]`: what became of what the business sent."""

from __future__ import annotations

from typing import Any, Final

from pipeline.providers.cloud.envelope import Part
from pipeline.providers.cloud.identity import status_event_id
from pipeline.providers.cloud.people import Person, digits, text
from pipeline.providers.cloud.shapes import STATUS, fits, settled
from pipeline.providers.cloud.wire import Body, instant
from pipeline.topics.events import StatusEvent, raw_pointers

NAMES: Final = {
    "id": "message_id",
    "status": "status",
    "recipient_id": "recipient_phone_id",
    "recipient_user_id": "recipient_bsuid",
    "recipient_parent_user_id": "recipient_parent_bsuid",
    "recipient_type": "recipient_type",
    "recipient_participant_id": "recipient_participant_phone_id",
    "recipient_participant_user_id": "recipient_participant_bsuid",
    "recipient_participant_parent_user_id": "recipient_participant_parent_bsuid",
    "recipient_identity_key_hash": "recipient_identity_hash",
    "biz_opaque_callback_data": "business_opaque_data",
    "pricing": "pricing",
    "conversation": "conversation_window",
    "errors": "errors",
}
"""The event's names for the fields of a status."""

_OURS: Final = frozenset(StatusEvent.model_fields) | {raw_pointers.POINTERS}
"""Names that mean something else in the event; whatever else a status carries keeps its name."""


def status(part: Part, _: Person | None, body: Body) -> bool:
    """Makes `body` a status event. False, if the status does not say of which message, what, or when."""
    item = part[2]
    event_id = event_id_of(part, body["contact"])
    at = instant(item["timestamp"]) if event_id and "timestamp" in item else None
    if at is None:
        return False
    body["kind"] = "status"
    body["event_type"] = f"status.{item['status']}"
    body["event_id"] = event_id
    body["timestamp"] = at
    for name, value in item.items():
        if name in NAMES:
            body[NAMES[name]] = value
        elif name not in _OURS:
            body[name] = value
    return fits(item, STATUS) or settled(body)


def told(item: Any) -> Body:
    """The texts of an odd status that settle a send: of which message and command it speaks, and its name."""
    named = ("id", "status", "biz_opaque_callback_data")
    found = {NAMES[name]: text(item.get(name)) for name in named} if type(item) is dict else {}
    return {name: value for name, value in found.items() if value}


def event_id_of(part: Part, contact: str | None) -> str | None:
    """The id of a status that names its message and itself."""
    change, _, item = part
    if type(item) is not dict:
        return None
    message_id, name = text(item.get("id")), item.get("status")
    if type(name) is not str or not message_id or not name:
        return None
    return status_event_id(change.account, message_id, name, _participant(contact, item))


def _participant(contact: str | None, item: dict[str, Any]) -> str | None:
    """Whose status it is: the recipient, or the member of the group."""
    if item.get("recipient_type") != "group":
        return contact
    for name in ("recipient_participant_user_id", "recipient_participant_id"):
        found = item.get(name)
        if type(found) is str and found:
            return digits(found)
    return contact
