"""Errors, and what nobody knows yet."""

from __future__ import annotations

import re
from typing import Any, Final

from pipeline.providers.cloud import messages, statuses
from pipeline.providers.cloud.envelope import WHOLE, Part
from pipeline.providers.cloud.identity import content_event_id, message_event_id
from pipeline.providers.cloud.people import Person, text
from pipeline.providers.cloud.shapes import settled
from pipeline.providers.cloud.wire import Body, time_of

_NAME: Final = re.compile(r"[A-Za-z0-9_]{1,64}")


def errors(part: Part, _: Person | None, body: Body) -> bool:
    """Makes `body` one event of all errors of a value: they are about the system, the app or the account.

    The platform gives them neither id nor time: the same errors again, within the deduplication's window, count as
    the same event.
    """
    body["kind"] = body["event_type"] = "error"
    body["event_id"] = content_event_id(part)
    body["timestamp"] = time_of(part) or body["received_at"]
    body["errors"] = part[2]
    return settled(body)


def unknown(part: Part, person: Person | None, body: Body) -> None:
    """Makes `body` an event that holds the part as it is."""
    body["kind"] = "unknown"
    body["event_type"] = _event_type(part)
    body["event_id"] = _event_id(part, body["contact"])
    body["timestamp"] = time_of(part) or body["received_at"]
    body["part"] = part[2]
    user = messages.user(part, person)
    if user:
        body["user"] = user
    if part[1] == "statuses":
        body |= statuses.told(part[2])


def _event_id(part: Part, contact: str | None) -> str:
    """A message keeps the id that it will have when its type gets a model."""
    change, name, item = part
    if change.field == "messages":
        if name == "messages" and (message_id := text(_of(item, "id"))):
            return message_event_id(change.account, message_id)
        if name == "statuses":
            return statuses.event_id_of(part, contact) or content_event_id(part)
    return content_event_id(part)


def _event_type(part: Part) -> str:
    change, name, item = part
    if change.malformed:
        return change.malformed
    if name == "errors":
        return "error"
    if change.field != "messages" or name is WHOLE:
        return f"field.{_named(change.field)}"
    if name == "messages":
        return f"message.{_named(_of(item, 'type'))}"
    if name == "statuses":
        return f"status.{_named(_of(item, 'status'))}"
    return f"field.{_named(name)}"


def _named(value: object) -> str:
    """A name that may stand in a label; `unknown` for anything that is none."""
    return value if type(value) is str and _NAME.fullmatch(value) else "unknown"


def _of(value: Any, name: str) -> Any:
    return value.get(name) if type(value) is dict else None
