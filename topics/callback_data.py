"""What a send attaches for its statuses to bring back: the command's id, the time of the call, campaign and tags.

    cmd-<id>                                      the old form, and that of an id which holds a dot
    cmd-<id>.<time>.<campaign>.<tag>,<tag>        unix seconds in base 36; campaign and tags may be empty

A provider returns it in every status, so a report can group statuses by the time of sending without a look-up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from pipeline.topics.commands import PREFIX

MAX_NAME: Final = 64
"""Characters of a campaign or of a tag, at most."""
MAX_TAGS: Final = 5
MAX_LENGTH: Final = 512
"""Characters that the Cloud API returns. An id of ours, the time and the longest campaign and tags have 434."""

_NAME: Final = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_NAME}}}")
_COHORT: Final = re.compile(r"([0-9a-z]{6,7})\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_,-]*)")
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


class Cohort(NamedTuple):
    """What a send has in common with others, as its statuses bring it back.

    Attributes:
        sent_at: the time of the call; None for the old form.
        campaign: None if the send named none.
        tags: empty if the send named none.
    """

    sent_at: datetime | None = None
    campaign: str | None = None
    tags: tuple[str, ...] = ()


class CallbackData(NamedTuple):
    """What a status brought back."""

    command_id: str
    cohort: Cohort


_NO_COHORT: Final = Cohort()


def is_name(value: object) -> bool:
    """Return True if it can be a campaign or a tag."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def encode_callback_data(command_id: str, now: float, campaign: str | None, tags: Sequence[str] | None) -> str:
    """Return the callback data of a call at `now`, in unix seconds.

    It is the id alone if that is no id of ours, holds a dot, or leaves no room. Names that can't be carried are left
    out: another producer's commands may have any.
    """
    full = f"{command_id}.{_encode_cohort(int(now), campaign, tuple(tags or ()))}"
    is_whole = "." not in command_id and command_id.startswith(PREFIX) and len(full) <= MAX_LENGTH
    return full if is_whole else command_id


def decode_callback_data(data: object) -> CallbackData | None:
    """Return what is in the callback data of a status; None if it is not of this project."""
    if type(data) is not str or not data.startswith(PREFIX):
        return None
    command_id, dot, rest = data.partition(".")
    cohort = _decode_cohort(rest) if dot else _NO_COHORT
    return CallbackData(data, _NO_COHORT) if cohort is None else CallbackData(command_id, cohort)


def callback_fields(data: object) -> dict[str, Any]:
    """Return an event's fields for its callback data: the command's id by itself, time of sending, campaign and tags.

    Data without a cohort has none: it is the field as it came.
    """
    found = decode_callback_data(data)
    if found is None or found.cohort is _NO_COHORT:
        return {}
    command_id, (sent_at, campaign, tags) = found
    fields: dict[str, Any] = {"business_opaque_data": command_id, "sent_at": sent_at}
    if campaign:
        fields["campaign"] = campaign
    if tags:
        fields["tags"] = list(tags)
    return fields


# Both are cached: the sends of a campaign within one second have the same.


@lru_cache(maxsize=4096)
def _encode_cohort(seconds: int, campaign: str | None, tags: tuple[str, ...]) -> str:
    digits = ""
    while seconds:
        seconds, digit = divmod(seconds, 36)
        digits = _DIGITS[digit] + digits
    return f"{digits}.{campaign if is_name(campaign) else ''}.{','.join(filter(is_name, tags))}"


@lru_cache(maxsize=4096)
def _decode_cohort(text: str) -> Cohort | None:
    """Return the cohort; None for a text that is none, which then belongs to an id with a dot."""
    found = _COHORT.fullmatch(text)
    if found is None:
        return None
    seconds, campaign, tags = found.groups()
    sent_at = datetime.fromtimestamp(int(seconds, 36), UTC)
    return Cohort(sent_at, campaign or None, tuple(filter(None, tags.split(","))))
