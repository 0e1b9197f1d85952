"""Rate limits: messages per second of a number, and messages to one recipient.

Source of the figures and of the two readings of the pair limit: Meta's throughput and pair rate pages.
"""

from __future__ import annotations

import math
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

BrokenLimit = Literal["messages_per_second", "pair"]
"""The limit that a message broke."""

_ROUNDING: Final = 1e-9
_SWEEP_AT: Final = 100_000


class SandboxLimits(BaseModel):
    """Rate limits of an account.

    Attributes:
        messages_per_second: of one sending number (Cloud API: 80, 20 or 1,000); None for no limit.
        burst: messages that may come at once; None for those of one second.
        pair: `strict` allows one message per 6 s to one recipient, and 45 at once on credit; None for no limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages_per_second: float | None = Field(80.0, gt=0)
    burst: int | None = Field(None, gt=0)
    pair: Literal["strict"] | None = None

    @property
    def capacity(self) -> float:
        return self.burst or max(1.0, self.messages_per_second or 1.0)


DEFAULT_LIMITS: Final = SandboxLimits()


class RateBucket:
    """A token bucket: `rate` tokens per second, at most `capacity`. Times are seconds of a monotonic clock."""

    __slots__ = ("_at", "_tokens", "capacity", "rate")

    def __init__(self, rate: float, capacity: float, now: float) -> None:
        self.rate = rate
        self.capacity = capacity
        self._tokens = capacity
        self._at = now

    def accept(self, now: float) -> bool:
        self._tokens = min(self.capacity, self._tokens + (now - self._at) * self.rate)
        self._at = now
        # A sender that keeps exactly to the limit must not be rejected for a rounding error.
        if self._tokens < 1 - _ROUNDING:
            return False
        self._tokens -= 1
        return True


class PairDebt:
    """The pair limit in its stricter reading: a burst is paid back completely before the next message.

    A burst has up to 45 messages within 6 s of its first one. Each message costs 6 s, so after 20 the pair is blocked
    until 120 s after the first. A bucket of 45 that gets a token every 6 s allows at least as much.
    """

    INTERVAL: Final = 6.0
    BURST: Final = 45

    __slots__ = ("_count", "_start")

    def __init__(self) -> None:
        self._start = -math.inf
        self._count = 0

    def paid(self, now: float) -> bool:
        return now >= self._start + self._count * self.INTERVAL

    def allows(self, now: float) -> bool:
        return self.paid(now) or (now < self._start + self.INTERVAL and self._count < self.BURST)

    def add(self, now: float) -> None:
        if self.paid(now):
            self._start, self._count = now, 0
        self._count += 1


class LimitEnforcer:
    """The buckets of all numbers and the debts of all pairs."""

    def __init__(self, limits: SandboxLimits) -> None:
        self.configure(limits)

    def configure(self, limits: SandboxLimits) -> None:
        """Set new limits. All buckets are refilled and all debts cleared."""
        self.limits = limits
        self._buckets: dict[tuple[str, str], RateBucket] = {}
        self._pairs: dict[tuple[str, str, str], PairDebt] = {}
        self._sweep_at = _SWEEP_AT

    def check(self, provider: str, account: str, to: str, now: float) -> BrokenLimit | None:
        """Count a message within the limits and return None; otherwise return the broken limit and count nothing."""
        pair = self._pair(provider, account, to, now) if self.limits.pair else None
        if pair and not pair.allows(now):
            return "pair"
        if not self._within_rate(provider, account, now):
            return "messages_per_second"
        if pair:
            pair.add(now)
        return None

    def _within_rate(self, provider: str, account: str, now: float) -> bool:
        rate = self.limits.messages_per_second
        if rate is None:
            return True
        bucket = self._buckets.get((provider, account))
        if bucket is None:
            bucket = self._buckets[provider, account] = RateBucket(rate, self.limits.capacity, now)
        return bucket.accept(now)

    def _pair(self, provider: str, account: str, to: str, now: float) -> PairDebt:
        pair = self._pairs.get((provider, account, to))
        if pair is None:
            self._sweep(now)
            pair = self._pairs[provider, account, to] = PairDebt()
        return pair

    def _sweep(self, now: float) -> None:
        """Forget pairs without debts."""
        if len(self._pairs) < self._sweep_at:
            return
        self._pairs = {key: pair for key, pair in self._pairs.items() if not pair.paid(now)}
        self._sweep_at = max(_SWEEP_AT, 2 * len(self._pairs))
