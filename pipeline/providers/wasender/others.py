"""What the session did by itself, and what nobody knows yet."""

from __future__ import annotations

from pipeline.providers.cloud.shapes import settled
from pipeline.providers.cloud.wire import Body
from pipeline.providers.shared.notices import type_label
from pipeline.providers.wasender.envelope import MESSAGES
from pipeline.providers.wasender.messages import at_of, event_id_of, is_ours, key_of, name_of, shaped
from pipeline.providers.wasender.people import user
from pipeline.providers.wasender.wire import Happening
from pipeline.topics.events.account_types import AccountEventType


def aside(found: Happening, body: Body, kind: AccountEventType) -> bool:
    """Makes `body` an account event of a message that nobody wrote to the business: an echo, or a story."""
    if type(found.item) is not dict:
        return False
    body["kind"] = "account"
    body["event_type"] = kind.value
    body["event_id"] = event_id_of(found)
    body["timestamp"] = at_of(found)
    body["field"] = found.part.event
    body["data"] = found.item
    message = shaped(found)
    if message is not None:
        body["message"] = message
    return settled(body)


def unknown(found: Happening, body: Body) -> None:
    """Makes `body` an event that holds the part as it is. A message keeps the id that it will have with a model."""
    body["kind"] = "unknown"
    body["event_type"] = _event_type(found)
    body["event_id"] = event_id_of(found) if found.part.event in MESSAGES else found.content_id
    body["timestamp"] = at_of(found)
    body["part"] = found.item
    person = {} if is_ours(found) else user(key_of(found))
    if person:
        body["user"] = person


def _event_type(found: Happening) -> str:
    event = found.part.event
    if event in MESSAGES:
        return f"message.{type_label(name_of(found))}"
    return f"field.{type_label(event)}" if event else "webhook"
