"""Counters of one limit each. Times are seconds of any clock that does not go back."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

PAIR_INTERVAL: Final = 6.0
"""Seconds that a message to one user costs."""
PAIR_BURST: Final = 45
"""Messages to one user that may come at once."""
_ROUNDING: Final = 1e-4
"""Part of a message. A sender that keeps exactly to the limit must not be rejected for a rounding error."""


class RateBucket:
    """At most `capacity + rate * w` messages in any window of `w` seconds.

    Args:
        jitter: seconds by which a message may come early.
    """

    __slots__ = ("_at", "_capacity", "_least", "_rate", "_tokens")

    def __init__(self, rate: float, capacity: float, now: float, jitter: float = 0.0) -> None:
        self._rate = rate
        self._capacity = capacity
        self._least = 1 - rate * jitter - _ROUNDING
        self._tokens = capacity
        self._at = now

    def allows(self, now: float) -> bool:
        self._refill(now)
        return self._tokens >= self._least

    def take(self, now: float, count: int = 1) -> None:
        """Count messages, allowed or not. What is missing has to be refilled before the next one is allowed."""
        self._refill(now)
        self._tokens -= count

    def wait(self, now: float) -> float:
        """Return the seconds until the next message."""
        self._refill(now)
        return max(0.0, (1 - self._tokens) / self._rate)

    def settled_at(self) -> float:
        """Return the time from which nothing of the past counts."""
        return self._at + (self._capacity - self._tokens) / self._rate

    def _refill(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(self._capacity, self._tokens + (now - self._at) * self._rate)
            self._at = now


class PairDebt:
    """The pair limit in its stricter reading: a burst is paid back completely before the next message.

    A burst has up to 45 messages within 6 s of its first one. Each message costs 6 s, so after 20 the pair is blocked
    until 120 s after the first. A bucket of 45 that gets a token every 6 s allows at least as much.
    """

    __slots__ = ("_count", "_jitter", "_start")

    def __init__(self, jitter: float = 0.0) -> None:
        self._jitter = jitter
        self._start = -math.inf
        self._count = 0

    def allows(self, now: float) -> bool:
        return self.wait(now) <= self._jitter

    def take(self, now: float) -> None:
        if not self._in_burst(now):
            # One that comes early counts as one that comes in time, so that early ones don't add up.
            self._start, self._count = max(now, self.settled_at()), 0
        self._count += 1

    def wait(self, now: float) -> float:
        return 0.0 if self._in_burst(now) else max(0.0, self.settled_at() - now)

    def settled_at(self) -> float:
        return self._start + self._count * PAIR_INTERVAL

    def _in_burst(self, now: float) -> bool:
        return now < self._start + PAIR_INTERVAL and self._count < PAIR_BURST


class SlidingWindow:
    """At most `limit` messages in any `seconds`."""

    __slots__ = ("_jitter", "_seconds", "_times", "limit")

    def __init__(self, limit: int, seconds: float, jitter: float = 0.0) -> None:
        self.limit = limit
        self._seconds = seconds
        self._jitter = jitter
        self._times: deque[float] = deque(maxlen=limit)

    def allows(self, now: float) -> bool:
        return self.wait(now) <= self._jitter

    def take(self, now: float) -> None:
        self._times.append(now + self.wait(now))

    def wait(self, now: float) -> float:
        """Return the seconds until the next message."""
        return self.resets_in(now) if self.remaining(now) < 1 else 0.0

    def remaining(self, now: float) -> int:
        while self._times and self._times[0] <= now - self._seconds:
            self._times.popleft()
        return self.limit - len(self._times)

    def resets_in(self, now: float) -> float:
        """Return the seconds until the oldest message leaves the window."""
        return max(0.0, self._times[0] + self._seconds - now) if self._times else 0.0
