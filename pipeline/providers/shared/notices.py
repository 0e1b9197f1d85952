"""Names and ids of events that say something about a message and are not the message."""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def type_label(name: str) -> str:
    """A type that a webhook names, as it may stand in an event's type and id; `unknown` for what is no name."""
    return name if _NAME.fullmatch(name) else "unknown"


def notice_event_id(message_event_id: str, name: str) -> str:
    """The id of a notice: of a placeholder, or of what the platform tells.

    It differs from the message's, so that neither hides the other, whichever comes first and however often.
    """
    return f"{message_event_id}:notice:{type_label(name)}"
