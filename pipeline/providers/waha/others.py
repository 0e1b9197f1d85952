"""What nobody knows yet: handed on whole."""

from __future__ import annotations

import re
from typing import Final

from pipeline.providers.cloud.wire import Body
from pipeline.providers.waha.happening import Happening
from pipeline.providers.waha.identity import event_id, is_ours
from pipeline.providers.waha.messages import MESSAGES, NAMES, message_id_of_event
from pipeline.providers.waha.people import user

_NAME: Final = re.compile(r"[A-Za-z0-9_.]{1,64}")


def unknown(found: Happening, body: Body) -> None:
    """Makes `body` an event that holds the payload as it is. A message keeps the id that it will have with a model."""
    payload = found.payload
    ours = is_ours(payload)
    is_message = found.event in NAMES and not ours
    body["kind"] = "unknown"
    body["event_type"] = _message_type(found) if is_message else _event_type(found)
    known = found.event in MESSAGES and not ours
    body["event_id"] = (
        message_id_of_event(found) if known else event_id(found.provider, found.account, found.enveloped, found.raw)
    )
    body["part"] = payload or found.raw.get("payload")
    person = {} if ours else user(payload)
    if person:
        body["user"] = person


def _message_type(found: Happening) -> str:
    """What a message calls itself; `message.reaction` and its like are named by the event already."""
    kind = found.payload.get("type") if found.event in MESSAGES else found.event.removeprefix("message.")
    return f"message.{kind if type(kind) is str and _NAME.fullmatch(kind) else 'unknown'}"


def _event_type(found: Happening) -> str:
    return f"field.{found.event}" if _NAME.fullmatch(found.event) else "webhook"
