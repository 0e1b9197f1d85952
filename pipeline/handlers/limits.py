"""What a provider would refuse, found when the handler asks. Each check says what is wrong, or None.

What belongs to one kind of send is checked beside it (`sends`). The messages name lengths and types, never the text
itself.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Final

from pipeline.topics.commands import Priority
from pipeline.topics.numbers import phone_digits

LONGEST_ID: Final = 1024
"""Characters of an id; a message's has less than 200."""
YEAR: Final = 366 * 86400.0

DIGITS: Final = range(7, 16)
"""Of a phone number with its country code (E.164), which begins with no 0."""

_ADDRESS: Final = re.compile(
    r"[A-Z]{2}\.[A-Za-z0-9.]{1,140}"  # a business-scoped user id
    r"|[^\s@]{1,128}@[a-z][a-z.]{1,60}"  # a JID
    r"|Y2FwaV9ncm91cDo[A-Za-z0-9_=+/-]{1,500}"  # a group's id at Meta: `capi_group:` in base64, and more
)
_PRIORITIES: Final = tuple(Priority)

Lifetime = float | timedelta | None
"""Seconds or a timedelta; None for a send that never loses its worth."""


def wrong_message_id(message_id: object) -> str | None:
    ok = isinstance(message_id, str) and len(message_id) <= LONGEST_ID and message_id.strip() not in {"", ".", ".."}
    return None if ok else "there is no message id: pass webhook.message.message_id"


def wrong_reply(reply_to: object) -> str | None:
    ok = reply_to is None or (isinstance(reply_to, str) and len(reply_to) <= LONGEST_ID)
    return None if ok else "the message to reply to has no id: pass webhook.message.message_id"


def wrong_recipient(recipient: object, *, opaque: bool = False) -> str | None:
    """`opaque`: the recipient is a group or a message, whose ids have any form."""
    if not isinstance(recipient, str) or not recipient.strip() or len(recipient) > LONGEST_ID:
        return "there is no recipient: pass webhook.user.user_id, a phone number or a user id"
    if opaque or _is_number(recipient) or _ADDRESS.fullmatch(recipient):
        return None
    return "the recipient is no phone number with its country code, no user id, group id or JID"


def _is_number(recipient: str) -> bool:
    digits = phone_digits(recipient)
    return digits is not None and len(digits) in DIGITS and digits[0] != "0"


def wrong_priority(priority: str) -> str | None:
    return None if priority in _PRIORITIES else "the priority is neither interactive nor bulk"


def wrong_lifetime(expires_in: Lifetime) -> str | None:
    ok = expires_in is None or 0 < seconds(expires_in) <= YEAR  # nan is between no bounds
    return None if ok else "expires_in is not between 0 seconds and a year: it would never be sent, or always"


def seconds(lifetime: object) -> float:
    """Of a number or a timedelta; nan for anything else."""
    if isinstance(lifetime, timedelta):
        return lifetime.total_seconds()
    return lifetime if isinstance(lifetime, int | float) else math.nan
