"""Retries: when to try again, and when to give up."""

from __future__ import annotations

import random
from dataclasses import dataclass

from pipeline.errors import NewerRecord, PermanentError, RetryAfter, Unavailable

_MAX_DOUBLINGS = 64
"""Exponent at which a delay stops growing, so that no attempt number overflows a float."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with jitter.

    Attributes:
        max_attempts: tries in all; None for no limit.
        initial_delay: seconds before the second try.
        factor: ratio of each delay to the one before.
        max_delay: largest delay in seconds, before jitter.
        jitter: largest share of a delay that is added at random, so that many clients do not return at once.
        upgrade_wait: seconds for which a record of a newer version is tried.
    """

    max_attempts: int | None = 5
    initial_delay: float = 1.0
    factor: float = 2.0
    max_delay: float = 60.0
    jitter: float = 0.25
    upgrade_wait: float = 600.0

    def allows(self, attempt: int) -> bool:
        """Return True if another try may follow the `attempt`-th (from 1)."""
        return self.max_attempts is None or attempt < self.max_attempts

    def delay(self, attempt: int, random_share: float) -> float:
        """Return the seconds to wait after the `attempt`-th try. `random_share` is a random number from 0 to 1."""
        exponential = self.initial_delay * self.factor ** min(attempt - 1, _MAX_DOUBLINGS)
        return min(self.max_delay, exponential) * (1 + self.jitter * random_share)

    def gives_up(self, error: Exception, attempt: int) -> bool:
        """Return True if the `attempt`-th failure (from 1) of a record is its last.

        `Unavailable` is no attempt: an outage ends, so no record becomes a dead letter for it.
        """
        if isinstance(error, PermanentError):
            return True
        if isinstance(error, NewerRecord):
            return attempt * error.delay >= self.upgrade_wait
        return not isinstance(error, Unavailable) and not self.allows(attempt)

    def delay_after(self, error: Exception, attempt: int) -> float:
        """Return the seconds to wait after the `attempt`-th failure: those that the error names, else `delay`."""
        if isinstance(error, RetryAfter):
            return error.delay
        return self.delay(attempt, random.random())  # noqa: S311 (jitter, not a secret)

    def is_exhausted(self, attempts: int) -> bool:
        """Return True if a record that failed `attempts` times would have been given up, had nothing forbidden it."""
        return not self.allows(attempts)


STAGE_RETRIES = RetryPolicy(max_attempts=4, initial_delay=0.05, max_delay=15.0, jitter=1.0)
"""Retries in place of a stage: delays of 50 to 100 ms at first, of 15 to 30 s at most."""

TRANSPORT = RetryPolicy(max_attempts=None)
"""Retries while a provider can't be reached or reports an outage: no call was made, and outages end."""


MAX_ASKED_JITTER = 5.0
"""Largest number of seconds that are added at random to a wait that somebody asked for."""


def wait_after(policy: RetryPolicy, attempt: int, min_delay: float, random_share: float) -> float:
    """Return the seconds to wait after the `attempt`-th try, at least the `min_delay` that was asked for.

    Jitter only adds. Those who were asked to wait for the same time do not return at once.
    """
    asked = min_delay + min(policy.jitter * min_delay, MAX_ASKED_JITTER) * random_share
    return max(asked, policy.delay(attempt, random_share))


def next_wait(policy: RetryPolicy, attempt: int, min_delay: float, random_share: float) -> float | None:
    """Return the seconds until the next try, at least `min_delay`. None: give up."""
    return wait_after(policy, attempt, min_delay, random_share) if policy.allows(attempt) else None
