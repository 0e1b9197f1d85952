"""What nobody knows yet: handed on whole."""

from __future__ import annotations

import re
from typing import Final

from pipeline.providers.cloud.wire import Body
from pipeline.providers.shared.notices import type_label
from pipeline.providers.waha.contents import name_of
from pipeline.providers.waha.happening import Happening
from pipeline.providers.waha.messages import MESSAGES, NAMES, event_id_of
from pipeline.providers.waha.people import user

_NAME: Final = re.compile(r"[A-Za-z0-9_.]{1,64}")


def unknown(found: Happening, body: Body) -> None:
    """Makes `body` an event that holds the payload as it is. A message keeps the id that it will have with a model."""
    payload, ours = found.payload, found.origin.ours
    body["kind"] = "unknown"
    body["event_type"] = _message_type(found) if found.event in NAMES and not ours else _event_type(found)
    body["event_id"] = event_id_of(found)
    body["part"] = payload or found.raw.get("payload")
    person = {} if ours else user(found.origin, payload)
    if person:
        body["user"] = person


def _message_type(found: Happening) -> str:
    """What a message calls itself; `message.reaction` and its like are named by the event already."""
    kind = name_of(found.payload, found.protocol) if found.event in MESSAGES else found.event.removeprefix("message.")
    return f"message.{type_label(kind)}"


def _event_type(found: Happening) -> str:
    return f"field.{found.event}" if _NAME.fullmatch(found.event) else "webhook"
