"""The retries of a concurrent stage: which failure of a record is its last, and how long it waits for the next try."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from pipeline.backoff import DEFAULT_RETRIES, FailureKind, RetryPauses, RetryPolicy
from pipeline.errors import NewerRecord, PermanentError, RetryAfter, Unavailable
from pipeline.runtime.flows.in_flight import InFlightRecord


class RecordRetries:
    """Counts the failures of each record by kind, so that those of one kind use up no try of another.

    Args:
        policy: the app's own pauses, for what is not said otherwise.
        of: returns the pauses of a value; None: the default for all.
    """

    def __init__(self, policy: RetryPolicy, of: Callable[[Any], RetryPauses] | None = None) -> None:
        self._policy = policy
        self._of = of

    def count(self, item: InFlightRecord, error: Exception) -> None:
        """Count a failure."""
        item.attempts += 1
        if isinstance(error, Unavailable):
            item.outages += 1
        elif self._kind(item, error) is FailureKind.IO:
            item.io_failures += 1

    def gives_up(self, item: InFlightRecord, error: Exception) -> bool:
        """Return True if the failure that was counted last is the record's last one."""
        if isinstance(error, PermanentError):
            return True
        if isinstance(error, NewerRecord):
            return self._policy.gives_up(error, item.attempts)
        kind = self._kind(item, error)
        return not self._retries(item).allows(kind, _failures(item, kind), self._policy)

    def delay(self, item: InFlightRecord, error: Exception, *, probes: bool) -> float:
        """Return the seconds until the next try.

        Args:
            item: a record whose failure was counted.
            error: that failure.
            probes: True if the try shows whether others may go on, too. It does not wait longer than the app's longest
                pause then.
        """
        if isinstance(error, RetryAfter):
            return error.delay
        kind = self._kind(item, error)
        seconds = self._retries(item).delay(kind, _failures(item, kind), self._policy)
        return min(seconds, self._longest()) if probes else seconds

    def is_exhausted(self, item: InFlightRecord) -> bool:
        """Return True if only an open breaker has kept a record from being given up, in a flow of short pauses."""
        return item.probes > 0 and not self._policy.allows(item.attempts)

    def _longest(self) -> float:
        share = random.random()  # noqa: S311 (jitter, not a secret)
        return self._policy.max_delay * (1 + self._policy.jitter * share)

    def _retries(self, item: InFlightRecord) -> RetryPauses:
        return DEFAULT_RETRIES if self._of is None or not item.decoded else self._of(item.value)

    def _kind(self, item: InFlightRecord, error: Exception) -> FailureKind:
        return self._retries(item).kind(error)


def _failures(item: InFlightRecord, kind: FailureKind) -> int:
    """Return how often a record failed in a kind's way."""
    if kind is FailureKind.IO:
        return item.io_failures
    if kind is FailureKind.OTHER:
        return item.attempts - item.outages - item.io_failures
    return item.outages
