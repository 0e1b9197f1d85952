"""A token bucket (the generic cell rate algorithm): one number says how much of the allowance is spent."""

from __future__ import annotations


class TokenBucket:
    """Allows at most `capacity + rate * w` permits in any window of `w` seconds.

    Args:
        rate: permits per second.
        capacity: permits that are valid at once after an idle time, at least 1.
        spent_until: the time until which permits are spent; see the attribute.

    Attributes:
        spent_until: the time at which the next permit would be due if permits came evenly. It may be taken up to
            `capacity - 1` permits earlier.
        paused_until: the time before which no permit is valid.
    """

    __slots__ = ("_burst", "_interval", "paused_until", "spent_until")

    def __init__(self, rate: float, capacity: float, spent_until: float) -> None:
        self.spent_until, self.paused_until = spent_until, 0.0
        self._set(rate, capacity)

    def _set(self, rate: float, capacity: float) -> None:
        if rate <= 0 or capacity < 1:
            raise ValueError("a token bucket needs a rate above 0 and a capacity of at least 1")
        self._interval = 1 / rate
        self._burst = (capacity - 1) * self._interval

    def resize(self, now: float, rate: float, capacity: float) -> None:
        """Change the limit. The permits that are spent stay, and so does a pause."""
        since, before = max(now, self.paused_until), self._interval
        self._set(rate, capacity)
        if self.spent_until > since:
            self.spent_until = since + (self.spent_until - since) * self._interval / before

    def empty(self, now: float) -> None:
        """Spend the whole burst: the next permit is valid after one interval."""
        self.spent_until = max(self.spent_until, now + self._burst + self._interval)

    def wait(self, now: float) -> float:
        """Return the seconds until a permit is valid."""
        return max(0.0, self.spent_until - self._burst - now, self.paused_until - now)

    def wait_behind(self, now: float, others: int) -> float:
        """Return the seconds until a permit is valid for whoever comes behind so many others."""
        due = max(self.spent_until, now) + others * self._interval - self._burst
        return max(0.0, due - now, self.paused_until - now)

    def take(self, now: float) -> None:
        """Spend a permit, which `wait` has allowed."""
        self.spent_until = max(self.spent_until, now) + self._interval

    def charge(self, now: float, count: int, most: float) -> None:
        """Spend permits for what cannot wait for them, until `most` seconds from now at the latest."""
        charged = max(self.spent_until, now) + count * self._interval
        self.spent_until = max(self.spent_until, min(charged, now + self._burst + most))

    def pause(self, now: float, seconds: float) -> None:
        """Allow no permit for `seconds`, and no burst after them."""
        self.paused_until = max(self.paused_until, now + seconds)
        self.spent_until = max(self.spent_until, self.paused_until + self._burst)
