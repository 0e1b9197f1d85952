"""Build unknown events, which contain the whole payload."""

from __future__ import annotations

import re
from typing import Final

from pipeline.providers.gateway.contents import message_type
from pipeline.providers.gateway.event_source import GatewayEventSource, event_user
from pipeline.providers.gateway.messages import MESSAGE_EVENTS, MESSAGES, stable_event_id
from pipeline.providers.shared.notices import type_label
from pipeline.topics.types import Json

_NAME: Final = re.compile(r"[A-Za-z0-9_.]{1,64}")


def unknown_event(source: GatewayEventSource, body: Json) -> None:
    """Make `body` an event with the unchanged payload. A message has the id that it will have once it has a model."""
    payload, ours = source.payload, source.origin.may_be_own
    body["kind"] = "unknown"
    body["event_type"] = _message_type(source) if source.event in MESSAGE_EVENTS and not ours else _event_type(source)
    body["event_id"] = stable_event_id(source)
    body["part"] = payload or source.raw.get("payload")
    person = {} if ours else event_user(source.origin, payload)
    if person:
        body["user"] = person


def _message_type(source: GatewayEventSource) -> str:
    """Return the message's own type name; for `message.reaction` and similar events, the event's."""
    kind = (
        message_type(source.payload, source.protocol)
        if source.event in MESSAGES
        else source.event.removeprefix("message.")
    )
    return f"message.{type_label(kind)}"


def _event_type(source: GatewayEventSource) -> str:
    return f"field.{source.event}" if _NAME.fullmatch(source.event) else "webhook"
