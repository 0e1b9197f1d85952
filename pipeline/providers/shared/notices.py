"""Ids of events that say something about a message and are not the message."""

from __future__ import annotations


def notice_event_id(message_event_id: str, name: str) -> str:
    """The id of a notice: of a placeholder, or of what the platform tells.

    It differs from the message's, so that neither hides the other, whichever comes first and however often.
    """
    return f"{message_event_id}:notice:{name}"
