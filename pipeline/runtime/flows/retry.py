"""When to try again in place, and when to give a record up."""

from __future__ import annotations

import random
from dataclasses import dataclass

from pipeline.errors import NewerRecord, PermanentError, RetryAfter, Unavailable


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Retry in place: `attempts` in all, seconds doubling from `first` to `longest`, spread by up to a half.

    `Unavailable` is not an attempt: what is away comes back, and nothing is dead-lettered for it. What a newer version
    wrote is tried for `upgrade_wait` seconds.
    """

    attempts: int = 4
    first: float = 0.1
    longest: float = 30.0
    upgrade_wait: float = 600.0

    def gives_up(self, error: Exception, attempt: int) -> bool:
        """Whether the `attempt`-th failure (from 1) is the last."""
        if isinstance(error, PermanentError):
            return True
        if isinstance(error, NewerRecord):
            return attempt * error.delay >= self.upgrade_wait
        return not isinstance(error, Unavailable) and attempt >= self.attempts

    def delay(self, error: Exception, attempt: int) -> float:
        """Seconds to wait after the `attempt`-th failure."""
        if isinstance(error, RetryAfter):
            return error.delay
        exponential = self.first * 2.0 ** min(attempt - 1, 16)
        return min(self.longest, exponential) * random.uniform(0.5, 1.0)  # noqa: S311 (jitter, not a secret)
