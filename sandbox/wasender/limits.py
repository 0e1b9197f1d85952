"""What a plan lets a session send. Figures: Wasender, rate limits.

A window begins with its first message, as in the provider's framework. Account protection overrides the plan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple


class Plan(NamedTuple):
    """So many messages in so many seconds; and so many a day, where there is a cap."""

    messages: int
    seconds: int
    daily: int | None = None


PLANS: Final[Mapping[str, Plan]] = {
    "paid": Plan(256, 60),
    "protected": Plan(1, 5),
    "trial": Plan(1, 60, daily=50),
}
_DAY: Final = 86_400


class Window:
    """One fixed window: `limit` messages in `seconds`."""

    def __init__(self, limit: int, seconds: int) -> None:
        self.limit = limit
        self._seconds = seconds
        self._ends = -math.inf
        self._used = 0

    def remaining(self, now: float) -> int:
        return self.limit if now >= self._ends else self.limit - self._used

    def resets_in(self, now: float) -> int:
        """Whole seconds, as Wasender tells them."""
        return max(0, math.ceil(self._ends - now)) if now < self._ends else 0

    def take(self, now: float) -> None:
        if now >= self._ends:
            self._ends, self._used = now + self._seconds, 0
        self._used += 1


class Allowance:
    """What one session may still send."""

    def __init__(self, plan: Plan) -> None:
        self._short = Window(plan.messages, plan.seconds)
        self._windows = [self._short] + ([Window(plan.daily, _DAY)] if plan.daily is not None else [])

    def take(self, now: float) -> int | None:
        """Counts a message that is allowed: None. Else the seconds until the next one is, and counts nothing."""
        waits = [window.resets_in(now) for window in self._windows if window.remaining(now) < 1]
        if waits:
            return max(waits)
        for window in self._windows:
            window.take(now)
        return None

    def headers(self, now: float) -> dict[str, str]:
        """The headers that every answer has."""
        return {
            "X-RateLimit-Limit": str(self._short.limit),
            "X-RateLimit-Remaining": str(self._short.remaining(now)),
            "X-RateLimit-Reset": str(self._short.resets_in(now)),
        }
