"""The rate that an account's provider turned out to allow: halved when it throttles, then raised step by step.

A limit may be lower than it is said to be: a number is downgraded, a plan changes, other programs send with the same
number. Additive increase and multiplicative decrease (as TCP does) find the rate without knowing the reason.
"""

from __future__ import annotations

from typing import Final

DECREASE: Final = 0.5
"""Factor of the rate at each throttle."""
INCREASE: Final = 0.01
"""Share of the configured rate that is added for each second without a throttle."""
LEAST_SHARE: Final = 1 / 64
"""Share of the configured rate below which a throttle lowers the rate no more."""
ONE_THROTTLE: Final = 1.0
"""Seconds in which several refusals count as one: their calls were in flight together."""


class LearntRate:
    """The rate of one account.

    Args:
        configured: the rate that the tenants file or an operator allows, in messages per second.

    Attributes:
        lowered_to: the rate at the last throttle.
        at: time of the last throttle.
    """

    __slots__ = ("at", "configured", "lowered_to")

    def __init__(self, configured: float) -> None:
        self.configured = configured
        self.lowered_to = configured
        self.at = 0.0

    def rate(self, now: float) -> float:
        """Return the messages per second that may be sent now."""
        if self.lowered_to >= self.configured:
            return self.configured
        learnt = self.lowered_to + INCREASE * self.configured * max(0.0, now - self.at)
        if learnt >= self.configured:
            self.lowered_to = self.configured
        return min(self.configured, learnt)

    @property
    def is_lowered(self) -> bool:
        """True while less than the configured rate is allowed, as last looked at."""
        return self.lowered_to < self.configured

    def recovery(self, now: float) -> float:
        """Return the seconds until the configured rate may be sent, if nothing is throttled; 0: it may be."""
        missing = (self.configured - self.lowered_to) / (INCREASE * self.configured)
        return max(0.0, self.at + missing - now) if self.is_lowered else 0.0

    def throttled(self, now: float, pause: float = 0.0) -> bool:
        """Note a refusal, behind which nothing is sent for `pause` seconds. Return True if it lowers the rate."""
        resumes = now + pause
        if self.is_lowered and now < self.at + ONE_THROTTLE:
            self.at = max(self.at, resumes)
            return False
        self.lowered_to = max(self.rate(now) * DECREASE, self.configured * LEAST_SHARE)
        self.at = max(self.at, resumes)
        return True

    def configure(self, rate: float, now: float) -> None:
        """Change the configured rate."""
        learnt, is_lowered = self.rate(now), self.is_lowered
        self.configured = rate
        self.lowered_to, self.at = (min(learnt, rate), now) if is_lowered else (rate, self.at)

    def restore(self, lowered_to: float, at: float) -> None:
        """Continue with what another process has learnt."""
        self.lowered_to, self.at = min(lowered_to, self.configured), at
