"""Limits of a session by its plan. Figures: Wasender, rate limits.

A window begins with its first message, as in the provider's framework. Account protection overrides the plan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple


class Plan(NamedTuple):
    """Messages per number of seconds, and per day if there is a cap."""

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
        """Return the seconds until the window ends, rounded up as Wasender does."""
        return max(0, math.ceil(self._ends - now)) if now < self._ends else 0

    def accept(self, now: float) -> None:
        if now >= self._ends:
            self._ends, self._used = now + self._seconds, 0
        self._used += 1


class Allowance:
    """The remaining messages of one session."""

    def __init__(self, plan: Plan) -> None:
        self._short = Window(plan.messages, plan.seconds)
        self._windows = [self._short] + ([Window(plan.daily, _DAY)] if plan.daily is not None else [])

    def accept(self, now: float) -> int | None:
        """Count an allowed message and return None; otherwise return the seconds until the next one."""
        waits = [window.resets_in(now) for window in self._windows if window.remaining(now) < 1]
        if waits:
            return max(waits)
        for window in self._windows:
            window.accept(now)
        return None

    def headers(self, now: float) -> dict[str, str]:
        """Return the headers of every response."""
        return {
            "X-RateLimit-Limit": str(self._short.limit),
            "X-RateLimit-Remaining": str(self._short.remaining(now)),
            "X-RateLimit-Reset": str(self._short.resets_in(now)),
        }
