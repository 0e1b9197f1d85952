"""The circuit breaker of a flow: it stops accepting records while failures are the rule and not the exception.

It counts the *first* try of each record. Retries come later than the first tries of other records. Counted when a
record is given up, a few bad records of a large batch would look like one long run of failures, and a dead database
would be noticed only after a hundred records had become dead letters.

Two kinds of error do not count:

- a `PermanentError`: such a record never succeeds, so a flood of them would stop a healthy stage for good;
- a `RetryAfter`: the other side answered and named a time.

While the breaker is open no new record is accepted, and no record that failed with an error that counts is given up.
Those records stay in work, and their retries in place, with backoff, are the probes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pipeline.errors import PermanentError, PipelineError, RetryAfter, error_type


@dataclass(frozen=True, slots=True)
class BreakerConfig:
    """The limits at which a breaker opens. Zero turns a limit off.

    Attributes:
        consecutive: number of records in a row that failed.
        failure_rate: share of the last records that failed.
        min_samples: number of records from which on the rate is looked at.
        window: number of records that the rate is taken of, at most.
    """

    consecutive: int = 100
    failure_rate: float = 0.5
    min_samples: int = 100
    window: int = 1_000


OFF: Final = BreakerConfig(consecutive=0, failure_rate=0.0)
"""A breaker that never opens."""


class Breaker:
    """Counts the outcomes of one flow's records. It does no I/O and reads no clock.

    Args:
        on_change: called with the cause when the breaker opens, and with None when it closes.
    """

    def __init__(self, config: BreakerConfig, on_change: Callable[[str | None], None] = lambda _: None) -> None:
        self._config = config
        self._on_change = on_change
        self._error: Exception | None = None
        self._consecutive = self._successes = self._failures = 0

    @property
    def open(self) -> bool:
        """True while no record may be accepted."""
        return self._error is not None

    @property
    def cause(self) -> str | None:
        """The kind of the error that opened the breaker, e.g. `Unavailable`; None while it is closed."""
        return error_type(self._error) if self._error is not None else None

    def forbids_giving_up(self, error: Exception) -> bool:
        """Return True if a record that failed with `error` must be tried again, however often it was."""
        return self.open and counts(error)

    def succeeded(self, count: int) -> None:
        """Record that `count` records succeeded at their first try."""
        if not count:
            return
        self._consecutive = 0
        self._successes += count
        self._shrink()
        if self.open and not self._is_tripped():
            self._close()

    def failed(self, error: Exception) -> None:
        """Record that a record failed at its first try."""
        if not counts(error):
            return
        self._consecutive += 1
        self._failures += 1
        self._shrink()
        if not self.open and self._is_tripped():
            self._error = error
            self._on_change(describe(error))

    def recovered(self, *, exhausted: bool) -> None:
        """Record that a record succeeded which had failed. `exhausted`: only the breaker kept it from being given up.

        The success of an exhausted record proves that the cause is gone. A record that only needed a second try proves
        that its first failure was none.
        """
        if exhausted and self.open:
            self._close()
        self._failures = max(0, self._failures - 1)
        self.succeeded(1)

    def on_idle(self) -> None:
        """Half-open: no record is in work that could be a probe. Accept records, and open again at the next failure."""
        if self.open:
            self._close()
            self._consecutive = max(0, self._config.consecutive - 1)

    def _is_tripped(self) -> bool:
        config, samples = self._config, self._successes + self._failures
        in_a_row = 0 < config.consecutive <= self._consecutive
        rate = self._failures / max(samples, 1)
        return in_a_row or (0 < config.failure_rate <= rate and samples >= config.min_samples)

    def _shrink(self) -> None:
        """Let old outcomes fade: halve both counts while they exceed the window."""
        while self._successes + self._failures > self._config.window:
            self._successes //= 2
            self._failures //= 2

    def _close(self) -> None:
        self._error = None
        self._consecutive = self._successes = self._failures = 0
        self._on_change(None)


def counts(error: Exception) -> bool:
    """Return True if an error says something about the stage or its surroundings, and not about the record alone."""
    return not isinstance(error, PermanentError | RetryAfter)


def describe(error: Exception) -> str:
    """Describe an error for a log line. The text of a foreign exception is left out, because it may quote a message."""
    name = error_type(error)
    return f"{name}: {error}" if isinstance(error, PipelineError) else name
