"""Build echo and story events, and unknown events for all parts without a model."""

from __future__ import annotations

from pipeline.providers.shared.notices import type_label
from pipeline.providers.shared.shapes import validates
from pipeline.providers.wasender.envelope import MESSAGES
from pipeline.providers.wasender.event_source import WasenderEventSource, event_user
from pipeline.providers.wasender.messages import (
    build_message,
    may_be_own,
    message_key,
    message_or_content_id,
    message_time,
    message_type,
)
from pipeline.topics.events.account_types import AccountEventType
from pipeline.topics.types import Json


def echo_or_story(source: WasenderEventSource, body: Json, kind: AccountEventType) -> bool:
    """Make `body` an account event of a message that was not written to the business: an echo or a story."""
    if type(source.item) is not dict:
        return False
    body["kind"] = "account"
    body["event_type"] = kind.value
    body["event_id"] = message_or_content_id(source)
    body["timestamp"] = message_time(source)
    body["field"] = source.part.event
    body["data"] = source.item
    message = build_message(source)
    if message is not None:
        body["message"] = message
    return validates(body)


def unknown_event(source: WasenderEventSource, body: Json) -> None:
    """Make `body` an event that contains the part unchanged. A message has the id that it will have with a model."""
    body["kind"] = "unknown"
    body["event_type"] = _event_type(source)
    body["event_id"] = message_or_content_id(source) if source.part.event in MESSAGES else source.content_id
    body["timestamp"] = message_time(source)
    body["part"] = source.item
    person = {} if may_be_own(source) else event_user(message_key(source))
    if person:
        body["user"] = person


def _event_type(source: WasenderEventSource) -> str:
    event = source.part.event
    if event in MESSAGES:
        return f"message.{type_label(message_type(source))}"
    return f"field.{type_label(event)}" if event else "webhook"
