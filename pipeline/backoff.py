"""Retries: when to try again, and when to give up."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from pipeline.errors import (
    BackendUnavailable,
    Conflict,
    NewerRecord,
    PermanentError,
    RetryAfter,
    Unavailable,
    UsageError,
)
from pipeline.io_errors import is_io_error

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


# Retries by kind of error


class FailureKind(Enum):
    """The kinds of failure that have pauses of their own."""

    BACKEND = auto()
    """The pipeline's own Redis, Kafka or disk, and conflicts of rows: short pauses, without end."""
    OUTAGE = auto()
    """An `Unavailable` service: long pauses, without end."""
    IO = auto()
    """An I/O error: long pauses, then a dead letter."""
    OTHER = auto()
    """Any other error, such as one of a program: short pauses, then a dead letter."""


OUTAGE_PAUSES: Final = (1.0, 5.0, 30.0, 120.0)
"""Seconds between the tries after an I/O error: together they outlive the restart of a service."""
PAUSE_JITTER: Final = 0.25
"""Largest share of a pause that is added at random."""
MAX_PAUSE: Final = 3600.0


@dataclass(frozen=True, slots=True)
class RetryPauses:
    """Pauses between the tries of one event, in seconds. There is one more try than pauses, then a dead letter.

    A quarter of each pause is added at random at most. The conversation of the event waits meanwhile, and no other.

    Attributes:
        io_errors: pauses after an I/O error (`pipeline.io_errors`). After `Unavailable` they are the same, and the last
            one repeats for as long as it is raised.
        other_errors: pauses after any other error; None: three within a second.
        also_io: classes of exceptions that count as I/O errors too.

    Raises `UsageError` for a pause that is not above 0, or above an hour.
    """

    io_errors: tuple[float, ...] = OUTAGE_PAUSES
    other_errors: tuple[float, ...] | None = None
    also_io: tuple[type[Exception], ...] = ()

    def __post_init__(self) -> None:
        for seconds in (*self.io_errors, *(self.other_errors or ())):
            if not 0 < seconds <= MAX_PAUSE:
                raise UsageError(
                    f"a pause of {seconds:g} s between tries: make it more than 0 and at most {MAX_PAUSE:g} s"
                )

    def kind(self, error: Exception) -> FailureKind:
        """Return the kind of an error."""
        if isinstance(error, BackendUnavailable | Conflict):
            return FailureKind.BACKEND
        if isinstance(error, Unavailable):
            return FailureKind.OUTAGE
        return FailureKind.IO if is_io_error(error, self.also_io) else FailureKind.OTHER

    def allows(self, kind: FailureKind, failures: int, policy: RetryPolicy) -> bool:
        """Return True if another try may follow the so many-th failure of a kind. `policy` is the stage's own."""
        if kind is FailureKind.IO:
            return failures <= len(self.io_errors)
        if kind is FailureKind.OTHER:
            return policy.allows(failures) if self.other_errors is None else failures <= len(self.other_errors)
        return True

    def delay(self, kind: FailureKind, failures: int, policy: RetryPolicy) -> float:
        """Return the seconds to wait after the so many-th failure (from 1) of a kind."""
        share = random.random()  # noqa: S311 (jitter, not a secret)
        pauses = self._pauses(kind)
        if pauses is None:
            return policy.delay(failures, share)
        return pauses[min(failures, len(pauses)) - 1] * (1 + PAUSE_JITTER * share)

    def _pauses(self, kind: FailureKind) -> tuple[float, ...] | None:
        """Return the pauses of a kind; None: those of the stage's policy."""
        if kind is FailureKind.BACKEND:
            return None
        if kind is FailureKind.OTHER:
            return self.other_errors
        return self.io_errors or OUTAGE_PAUSES


DEFAULT_RETRIES: Final = RetryPauses()
