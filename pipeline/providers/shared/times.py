"""Read times of gateways: seconds, milliseconds, floats, and strings of them.

Numbers from 10¹¹ are milliseconds: as seconds that would be the year 5138.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

_MILLISECONDS: Final = 1e11


def instant(value: object) -> datetime | None:
    """Return the time of unix seconds, unix milliseconds or an ISO 8601 string; None for anything else."""
    return _instant(value) if type(value) in (int, float, str) and value else None


@lru_cache(maxsize=4096)
def _instant(value: float | str) -> datetime | None:
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return _iso(value) if isinstance(value, str) else None
    try:
        return datetime.fromtimestamp(number / 1000 if number >= _MILLISECONDS else number, UTC) if number > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _iso(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
