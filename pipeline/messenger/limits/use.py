"""The messages per second that an account has used in the last minute."""

from __future__ import annotations

from typing import Final

SPAN: Final = 60.0
"""Seconds of a minute, of which this one and the one before are counted."""


class RecentUse:
    """Counts permits.

    Args:
        now: time from which on it counts.
    """

    __slots__ = ("_before", "_began", "_count", "_since")

    def __init__(self, now: float) -> None:
        self._since = self._began = now
        self._before = self._count = 0

    def add(self, now: float, count: int = 1) -> None:
        """Count permits that are used now."""
        if now - self._began >= SPAN:
            self._before = self._count if now - self._began < 2 * SPAN else 0
            self._count = 0
            self._began += (now - self._began) // SPAN * SPAN
        self._count += count

    def per_second(self, now: float) -> float:
        """Return the permits per second of the last minute, as if those of the minute before had come evenly."""
        before, count, age = self._before, self._count, now - self._began
        if age >= SPAN:
            before, count, age = (count if age < 2 * SPAN else 0), 0, age % SPAN
        return (before * (1 - age / SPAN) + count) / min(SPAN, max(1.0, now - self._since))
