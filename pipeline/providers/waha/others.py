"""What is neither a message of a user nor a status of ours: the session's own affairs, and what nobody knows."""

from __future__ import annotations

import re
from typing import Final

from pipeline.providers.cloud.wire import Body
from pipeline.providers.waha.happening import Happening
from pipeline.providers.waha.identity import event_id, message_event_id
from pipeline.providers.waha.jids import message_id
from pipeline.providers.waha.messages import is_ours
from pipeline.providers.waha.people import user

ECHOES: Final = "message_echoes"
"""The Cloud API's name for what the business wrote elsewhere."""
STORIES: Final = "status.update"
"""Wawp's name for what somebody showed to all contacts. Nobody wrote to the business, so it is no message."""
MESSAGES: Final = frozenset({"message", "message.any"})
_NAME: Final = re.compile(r"[A-Za-z0-9_.]{1,64}")


def unknown(found: Happening, body: Body, name: str | None = None) -> None:
    """Makes `body` an event that holds the payload as it is."""
    payload = found.payload
    body["kind"] = "unknown"
    body["event_type"] = _event_type(found, name)
    body["event_id"] = _event_id(found)
    body["part"] = payload or found.raw.get("payload")
    person = {} if is_ours(payload) else user(payload)
    if person:
        body["user"] = person


def _event_id(found: Happening) -> str:
    """A message keeps the id that it will have when its type gets a model."""
    given = message_id(found.payload.get("id"))
    if found.event in MESSAGES and given:
        return message_event_id(found.provider, found.account, given)
    return event_id(found.provider, found.account, found.enveloped, found.raw)


def _event_type(found: Happening, name: str | None) -> str:
    if name is None and found.event in MESSAGES:
        kind = found.payload.get("type")
        return f"message.{kind if type(kind) is str and _NAME.fullmatch(kind) else 'unknown'}"
    named = name or found.event
    return f"field.{named}" if _NAME.fullmatch(named) else "webhook"
