"""A token bucket that hands out times instead of tokens, so that nobody waits at it and nobody overtakes."""

from __future__ import annotations


class TokenBucket:
    """At most `capacity + rate * w` permits fall into any window of `w` seconds, whoever restarts when.

    It starts empty: a process that dies with a full burst behind it can't burst again when it is back. Permits are
    reserved in the order of asking (the generic cell rate algorithm), so each `take` is O(1) and there is no queue.

    Args:
        rate: permits per second.
        capacity: permits that may come at once after a quiet time, at least 1.
        now: the time, in seconds of any rising clock; the same clock as in `take`.
    """

    __slots__ = ("_burst", "_earliest", "_interval")

    def __init__(self, rate: float, capacity: float, now: float) -> None:
        if rate <= 0 or capacity < 1:
            raise ValueError("a token bucket needs a rate above 0 and a capacity of at least 1")
        self._interval = 1 / rate
        self._burst = (capacity - 1) * self._interval
        self._earliest = now + self._burst + self._interval
        """When the next permit would fall due if permits came evenly; it may be taken `_burst` seconds earlier."""

    def take(self, now: float) -> float:
        """Reserves the next permit and returns the seconds until it is valid. Whoever took it must wait and use it."""
        at = max(now, self._earliest - self._burst)
        self._earliest = max(self._earliest, at) + self._interval
        return at - now

    def wait(self, now: float) -> float:
        """The seconds that `take` would return, without taking."""
        return max(0.0, self._earliest - self._burst - now)

    def slow_down(self, now: float, seconds: float) -> None:
        """No permit within `seconds`, and none of what would have been saved up by then. Given permits stay valid."""
        self._earliest = max(self._earliest, now + seconds + self._burst)
