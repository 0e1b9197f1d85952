"""What a provider would refuse, found when the handler asks. Each check says what is wrong, or None.

What belongs to one kind of send is checked beside it (`sends`). The messages name lengths and types, never the text
itself.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from topics.commands import Priority

YEAR: Final = 366 * 86400.0

_PRIORITIES: Final = tuple(Priority)

Lifetime = float | timedelta | None
"""Seconds or a timedelta; None for a send that never loses its worth."""


def wrong_message_id(message_id: object) -> str | None:
    ok = isinstance(message_id, str) and message_id.strip() not in {"", ".", ".."}
    return None if ok else "there is no message id: pass webhook.message.message_id"


def wrong_recipient(recipient: object) -> str | None:
    ok = isinstance(recipient, str) and recipient
    return None if ok else "there is no recipient: pass webhook.user.user_id, a phone number or a user id"


def wrong_priority(priority: str) -> str | None:
    return None if priority in _PRIORITIES else "the priority is neither interactive nor bulk"


def wrong_lifetime(expires_in: Lifetime) -> str | None:
    ok = expires_in is None or 0 < seconds(expires_in) <= YEAR
    return None if ok else "expires_in is not between 0 seconds and a year: it would never be sent, or always"


def seconds(lifetime: float | timedelta) -> float:
    return lifetime.total_seconds() if isinstance(lifetime, timedelta) else lifetime
