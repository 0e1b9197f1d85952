"""Names and ids of notices: events about a message that are not the message itself."""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def type_label(name: str) -> str:
    """Return a type as it may occur in an event's type and id; `unknown` for anything that is no name."""
    return name if _NAME.fullmatch(name) else "unknown"


def notice_event_id(message_event_id: str, name: str) -> str:
    """Return the id of a notice: of a placeholder, or of a message of the platform.

    It differs from the message's id, so that neither is a duplicate of the other, in any order.
    """
    return f"{message_event_id}:notice:{type_label(name)}"
