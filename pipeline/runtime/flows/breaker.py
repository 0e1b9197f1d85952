"""The breaker: where failures are the rule and not the exception, a flow stops taking in.

What it counts is the *first* try of each record. Retries come later than the tries of other records, so counting when
a record is given up would see a few bad records of a large batch as one long run; and it would notice a dead database
only when a hundred records had become dead letters for it, instead of none.

Neither of these counts:

- a `PermanentError`: garbage never succeeds, so a flood of it would stop a stage that nothing is wrong with, for good;
- a `RetryAfter`: the other side answered and said when, which is order, not failure.

While it is open nothing new is taken and nothing that counts is given up: the records in hand stay in hand, and their
retries in place, with backoff, are the probes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pipeline.errors import PermanentError, PipelineError, RetryAfter


@dataclass(frozen=True, slots=True)
class BreakerConfig:
    """From when on failures are the rule. Zero turns a limit off.

    Attributes:
        run: that many records in a row failed.
        ratio: this share of the last records failed, at least `least` and at most `window` of them.
    """

    consecutive: int = 100
    failure_rate: float = 0.5
    min_samples: int = 100
    window: int = 1_000


OFF: Final = BreakerConfig(consecutive=0, failure_rate=0.0)


class Breaker:
    """The outcomes of one flow's records, and whether it may take more. No I/O, no clock.

    Args:
        tell: called with the cause when it opens and with None when it closes.
    """

    def __init__(self, limits: BreakerConfig, tell: Callable[[str | None], None] = lambda _: None) -> None:
        self._limits = limits
        self._tell = tell
        self._cause: Exception | None = None
        self._run = self._done = self._failed = 0

    @property
    def open(self) -> bool:
        """Whether nothing may be taken in."""
        return self._cause is not None

    @property
    def cause(self) -> str | None:
        """The kind of the error that opened it, e.g. `Unavailable`; None while it is closed."""
        return type(self._cause).__name__ if self._cause is not None else None

    def forbids_giving_up(self, error: Exception) -> bool:
        """Whether a record that failed of `error` must be kept in hand, however often it was tried."""
        return self.open and counts(error)

    def succeeded(self, count: int) -> None:
        """`count` records went through at their first try."""
        if not count:
            return
        self._run = 0
        self._done += count
        self._shrink()
        if self.open and not self._tripped():
            self._close()

    def failed(self, error: Exception) -> None:
        """A record failed at its first try."""
        if not counts(error):
            return
        self._run += 1
        self._failed += 1
        self._shrink()
        if not self.open and self._tripped():
            self._cause = error
            self._tell(_describe(error))

    def recovered(self, exhausted: bool) -> None:
        """A record that had failed went through; `exhausted`: it would long have been given up but for the breaker.

        Such a one shows that the cause is gone. One that only needed a second try shows that it was no failure.
        """
        if exhausted and self.open:
            self._close()
        self._failed = max(0, self._failed - 1)
        self.succeeded(1)

    def on_idle(self) -> None:
        """Nothing is in hand any more that could be tried: it takes in again, and the next failure opens it."""
        if self.open:
            self._close()
            self._run = max(0, self._limits.consecutive - 1)

    def _tripped(self) -> bool:
        limits, known = self._limits, self._done + self._failed
        in_a_row = 0 < limits.consecutive <= self._run
        return in_a_row or (0 < limits.failure_rate <= self._failed / max(known, 1) and known >= limits.min_samples)

    def _shrink(self) -> None:
        """Old outcomes fade: past the window both counts are halved, as far as they exceed it."""
        while self._done + self._failed > self._limits.window:
            self._done //= 2
            self._failed //= 2

    def _close(self) -> None:
        self._cause = None
        self._forget()
        self._tell(None)

    def _forget(self) -> None:
        self._run = self._done = self._failed = 0


def counts(error: Exception) -> bool:
    """Whether an error says something about the stage or its surroundings, and not about the record alone."""
    return not isinstance(error, PermanentError | RetryAfter)


def _describe(error: Exception) -> str:
    """For a log line: what a stranger's exception says may quote a message."""
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, PipelineError) else name
