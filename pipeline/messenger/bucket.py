"""A token bucket that reserves times instead of handing out tokens. So it needs no queue and nobody can overtake."""

from __future__ import annotations

import math


class TokenBucket:
    """Allows at most `capacity + rate * w` permits in any window of `w` seconds, across restarts.

    It starts empty: a process that ends after a full burst can't burst again when it restarts. Permits are reserved in
    the order of the calls (the generic cell rate algorithm), so each `reserve` is O(1).

    Args:
        rate: permits per second.
        capacity: permits that are valid at once after an idle time, at least 1.
        now: the time, in seconds of any monotonic clock; the same clock as in `reserve`.
    """

    __slots__ = ("_burst", "_earliest", "_interval")

    def __init__(self, rate: float, capacity: float, now: float) -> None:
        if rate <= 0 or capacity < 1:
            raise ValueError("a token bucket needs a rate above 0 and a capacity of at least 1")
        self._interval = 1 / rate
        self._burst = (capacity - 1) * self._interval
        self._earliest = now + self._burst + self._interval
        """When the next permit is due if permits come evenly. It becomes valid up to `_burst` seconds earlier."""

    def reserve(self, now: float, within: float = math.inf) -> float:
        """Reserve the next permit and return the seconds until it is valid. The caller must wait and then use it.

        If that is more than `within` seconds, nothing is reserved.
        """
        at = max(now, self._earliest - self._burst)
        if at - now <= within:
            self._earliest = max(self._earliest, at) + self._interval
        return at - now

    def wait(self, now: float) -> float:
        """Return the seconds that `reserve` would return, without reserving."""
        return max(0.0, self._earliest - self._burst - now)

    def slow_down(self, now: float, seconds: float) -> None:
        """Allow no permit for `seconds`, and no burst after them. Permits that are reserved already stay valid."""
        self._earliest = max(self._earliest, now + seconds + self._burst)
