"""Times in webhooks of the Cloud API: unix seconds, as strings or numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from pipeline.providers.cloud.envelope import Part

_LAST_SECOND: Final = 253_402_300_799
"""9999-12-31T23:59:59Z, the last unix second that a datetime can represent."""


def part_time(part: Part) -> datetime | None:
    """Return a part's own time, else its entry's; None without either."""
    item, entry = part[2], part[0].entry
    own = item.get("timestamp") or _contact_time(item) if type(item) is dict else None
    return unix_time(own) or unix_time(entry.get("time") if type(entry) is dict else None)


def _contact_time(item: dict[str, Any]) -> Any:
    """Return the time of a contact from a number's app (`state_sync`), which is nested in `metadata`."""
    metadata = item.get("metadata")
    return metadata.get("timestamp") if type(metadata) is dict else None


def unix_time(value: object) -> datetime | None:
    """Return the time of unix seconds, given as a string or an integer; None for anything else."""
    return _unix_time(value) if type(value) is str or type(value) is int else None


@lru_cache(maxsize=4096)
def _unix_time(value: str | int) -> datetime | None:
    """Cached because all messages and statuses of one second name the same second."""
    if type(value) is str and not (value.isdecimal() and value.isascii() and len(value) <= 12):
        return None
    seconds = int(value)
    return datetime.fromtimestamp(seconds, UTC) if 0 <= seconds <= _LAST_SECOND else None
