"""Build error events, and unknown events for all parts without a model."""

from __future__ import annotations

import re
from typing import Any, Final

from pipeline.providers.cloud import messages, statuses
from pipeline.providers.cloud.contacts import Contact, id_text
from pipeline.providers.cloud.envelope import WHOLE, Part
from pipeline.providers.cloud.identity import content_event_id, message_event_id
from pipeline.providers.cloud.times import part_time
from pipeline.providers.shared.shapes import validates
from pipeline.topics.types import Json

_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,64}")


def error_event(part: Part, _: Contact | None, body: Json) -> bool:
    """Make `body` one event of all errors of a value. They are about the system, the app or the account.

    Meta gives errors neither ids nor times: equal errors within the deduplication window are the same event.
    """
    body["kind"] = body["event_type"] = "error"
    body["event_id"] = content_event_id(part)
    body["timestamp"] = part_time(part) or body["received_at"]
    body["errors"] = part[2]
    return validates(body)


def unknown_event(part: Part, person: Contact | None, body: Json) -> None:
    """Make `body` an event that contains the part unchanged."""
    body["kind"] = "unknown"
    body["event_type"] = _event_type(part)
    body["event_id"] = _event_id(part, body["contact"])
    body["timestamp"] = part_time(part) or body["received_at"]
    body["part"] = part[2]
    user = messages.event_user(part, person)
    if user:
        body["user"] = user
    if part[1] == "statuses":
        body |= statuses.reconciliation_fields(part[2])


def _event_id(part: Part, contact: str | None) -> str:
    """Return the event id. A message has the id that it will have once its type has a model."""
    change, name, item = part
    if change.field == "messages":
        if name == "messages" and (message_id := id_text(_of(item, "id"))):
            return message_event_id(change.account, message_id)
        if name == "statuses":
            return statuses.status_id(part, contact) or content_event_id(part)
    return content_event_id(part)


def _event_type(part: Part) -> str:
    change, name, item = part
    if change.malformed:
        return change.malformed
    if name == "errors":
        return "error"
    if change.field != "messages" or name is WHOLE:
        return f"field.{_label(change.field)}"
    if name == "messages":
        return f"message.{_label(_of(item, 'type'))}"
    if name == "statuses":
        return f"status.{_label(_of(item, 'status'))}"
    return f"field.{_label(name)}"


def _label(value: object) -> str:
    """Return a name that is safe as a metric label; `unknown` for anything else."""
    return value if type(value) is str and _NAME.fullmatch(value) else "unknown"


def _of(value: Any, name: str) -> Any:
    return value.get(name) if type(value) is dict else None
