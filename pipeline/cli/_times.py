"""Times and spans as people write them on the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def to_span(text: str) -> timedelta | None:
    """Parse `90m`, `2h` or `7d`; return None for any other text."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text, re.ASCII)
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None


def to_time(text: str) -> datetime | None:
    """Parse `2026-01-31` or `2026-01-31T10:00`, which is UTC unless it names a zone; return None for any other text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
