"""The messaging limit of a business: users to whom it writes without having been written to."""

from __future__ import annotations

from typing import Final

DAY: Final = 86_400.0


class Recipients:
    """The users whom a business sent a template outside the service window, in the last 24 hours."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        """The latest send to each of them, the oldest first."""

    def __len__(self) -> int:
        return len(self._last)

    def allows(self, person: str, limit: int, now: float) -> bool:
        """Return True if a user is among the recipients or there is room for one more."""
        self._forget(now)
        return person in self._last or len(self._last) < limit

    def wait(self, now: float) -> float:
        """Return the seconds until the next of them leaves."""
        return max(0.0, next(iter(self._last.values()), now - DAY) + DAY - now)

    def add(self, person: str, now: float) -> None:
        self._last.pop(person, None)
        self._last[person] = now

    def _forget(self, now: float) -> None:
        while self._last:
            oldest = next(iter(self._last))
            if self._last[oldest] > now - DAY:
                return
            del self._last[oldest]
