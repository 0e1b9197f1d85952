"""When to try a send again, and when to give it up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with jitter.

    Attributes:
        attempts: tries in all; None for no limit, where waiting is sure to help and a command's expiry is the end.
        first: seconds before the second try.
        factor: by which each wait is longer than the one before.
        longest: seconds that no wait exceeds, jitter aside.
        jitter: the part of a wait that is added at random, so that a crowd does not come back as one.
    """

    attempts: int | None = 5
    first: float = 1.0
    factor: float = 2.0
    longest: float = 60.0
    jitter: float = 0.25

    def allows(self, attempt: int) -> bool:
        """Return True if another try may follow the `attempt`-th (from 1)."""
        return self.attempts is None or attempt < self.attempts

    def delay(self, attempt: int, luck: float) -> float:
        """Return seconds to wait after the `attempt`-th try. `luck` is a random number from 0 to 1."""
        exponential = self.first * self.factor ** min(attempt - 1, 64)
        return min(self.longest, exponential) * (1 + self.jitter * luck)


TRANSPORT = RetryPolicy(attempts=None)
"""The provider can't be reached, or answers that it is not there: nothing was done, and it comes back."""


def next_wait(policy: RetryPolicy, attempt: int, asked: float, luck: float) -> float | None:
    """Return seconds until the next try: the policy's, but not below what the provider `asked` for. None to give up."""
    return max(asked, policy.delay(attempt, luck)) if policy.allows(attempt) else None
