"""Checks of the arguments that all sends share. Each returns an error message, or None if the argument is valid.

The arguments of one kind of send are checked beside it (`outbound`). The messages name lengths and types, never the
text itself.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Final

from pipeline.topics.callback_data import MAX_NAME, MAX_TAGS, is_name
from pipeline.topics.commands import Priority
from pipeline.topics.lifetimes import YEAR
from pipeline.topics.numbers import phone_digits

MAX_ID_LENGTH: Final = 1024
"""Characters of an id; a message's has less than 200."""

DIGITS: Final = range(7, 16)
"""The number of digits of a phone number with its country code (E.164), which does not begin with 0."""

_ADDRESS: Final = re.compile(
    r"[A-Z]{2}\.[A-Za-z0-9.]{1,140}"  # a business-scoped user id
    r"|[^\s@]{1,128}@[a-z][a-z.]{1,60}"  # a JID
    r"|Y2FwaV9ncm91cDo[A-Za-z0-9_=+/-]{1,500}"  # a group's id at Meta: `capi_group:` in base64, and more
)
_PRIORITIES: Final = tuple(Priority)
_NO_NAME: Final = f"not 1 to {MAX_NAME} characters of A-Z, a-z, 0-9, _ and -: name it by these"

Lifetime = float | timedelta | None
"""Seconds or a timedelta; None for a send without an expiry of its own."""


def validate_message_id(message_id: object) -> str | None:
    """Return an error message unless it is the id of a message."""
    ok = isinstance(message_id, str) and len(message_id) <= MAX_ID_LENGTH and message_id.strip() not in {"", ".", ".."}
    return None if ok else "there is no message id: pass webhook.message.message_id"


def validate_reply_to(reply_to: object) -> str | None:
    """Return an error message unless it is None or the id of a message."""
    ok = reply_to is None or (isinstance(reply_to, str) and len(reply_to) <= MAX_ID_LENGTH)
    return None if ok else "the message to reply to has no id: pass webhook.message.message_id"


def validate_recipient(recipient: object, *, opaque: bool = False) -> str | None:
    """Return an error message unless it is a recipient. If `opaque`, a group or message id of any form is one too."""
    if not isinstance(recipient, str) or not recipient.strip() or len(recipient) > MAX_ID_LENGTH:
        return "there is no recipient: pass webhook.user.user_id, a phone number or a user id"
    if opaque or _is_number(recipient) or _ADDRESS.fullmatch(recipient):
        return None
    return "the recipient is no phone number with its country code, no user id, group id or JID"


def _is_number(recipient: str) -> bool:
    digits = phone_digits(recipient)
    return digits is not None and len(digits) in DIGITS and digits[0] != "0"


def validate_priority(priority: str) -> str | None:
    """Return an error message unless it is a `Priority`."""
    return None if priority in _PRIORITIES else "the priority is neither interactive nor bulk"


def validate_lifetime(expires_in: Lifetime) -> str | None:
    """Return an error message unless it is None or between 0 seconds and a year."""
    ok = expires_in is None or 0 < seconds(expires_in) <= YEAR  # nan is between no bounds
    return None if ok else "expires_in is not between 0 seconds and a year: it would never be sent, or always"


def validate_campaign(campaign: object) -> str | None:
    """Return an error message unless it is None or a name that callback data can carry."""
    return None if campaign is None or is_name(campaign) else f"the campaign is {_NO_NAME}, e.g. spring-sale"


def validate_tags(tags: object) -> str | None:
    """Return an error message unless it is None or a few different names."""
    if tags is None:
        return None
    if not isinstance(tags, list | tuple) or len(tags) > MAX_TAGS:
        return f"tags are no list of up to {MAX_TAGS}: every status of the send carries them"
    if not all(map(is_name, tags)):
        return f"a tag is {_NO_NAME}, e.g. vip"
    return None if len(set(tags)) == len(tags) else "a tag is there twice: remove one"


def seconds(lifetime: object) -> float:
    """Return a number or a timedelta in seconds; nan for anything else."""
    if isinstance(lifetime, timedelta):
        return lifetime.total_seconds()
    return lifetime if isinstance(lifetime, int | float) else math.nan
