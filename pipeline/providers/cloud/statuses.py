"""Build status events from `statuses[]`."""

from __future__ import annotations

from typing import Any, Final

from pipeline.providers.cloud.contacts import Contact, id_text, to_wa_id
from pipeline.providers.cloud.envelope import Part
from pipeline.providers.cloud.identity import status_event_id
from pipeline.providers.cloud.shapes import STATUS
from pipeline.providers.cloud.times import unix_time
from pipeline.providers.shared.shapes import fits, validates
from pipeline.topics.callback_data import callback_fields
from pipeline.topics.events import StatusEvent, raw_pointers
from pipeline.topics.types import Json

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
"""Names with another meaning in the event. Further fields of a status keep their names."""


def status_event(part: Part, _: Contact | None, body: Json) -> bool:
    """Make `body` a status event. Returns False without a message id, a status or a time."""
    item = part[2]
    event_id = status_id(part, body["contact"])
    at = unix_time(item["timestamp"]) if event_id and "timestamp" in item else None
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
    if data := item.get("biz_opaque_callback_data"):
        body.update(callback_fields(data))
    return fits(item, STATUS) or validates(body)


def reconciliation_fields(item: Any) -> Json:
    """Return the fields of a malformed status that tell a command's fate: message id, command id and status."""
    named = ("id", "status", "biz_opaque_callback_data")
    found = {NAMES[name]: id_text(item.get(name)) for name in named} if type(item) is dict else {}
    return {name: value for name, value in found.items() if value} | callback_fields(found.get("business_opaque_data"))


def status_id(part: Part, contact: str | None) -> str | None:
    """Return the event id of a status; None without a message id and a status."""
    change, _, item = part
    if type(item) is not dict:
        return None
    message_id, name = id_text(item.get("id")), item.get("status")
    if type(name) is not str or not message_id or not name:
        return None
    return status_event_id(change.account, message_id, name, _participant(contact, item))


def _participant(contact: str | None, item: dict[str, Any]) -> str | None:
    """Return the person of the status: the recipient, or the member of the group."""
    if item.get("recipient_type") != "group":
        return contact
    for name in ("recipient_participant_user_id", "recipient_participant_id"):
        found = item.get(name)
        if type(found) is str and found:
            return to_wa_id(found)
    return contact
