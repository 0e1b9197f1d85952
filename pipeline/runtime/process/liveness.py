"""Tells whether each partition makes progress, the basis of the liveness probe. No I/O; the clock is injected.

A partition *lags* while it has something that is not committed. Lagging is no fault: a service may be down, or an
account over its limit. A partition is *stuck* in one of three cases, and only a new process helps then:

- nothing happens: no attempt at a record, none scheduled, and no commit;
- what is processed is not committed;
- a single attempt does not end, whatever happens to other records.

While the broker does not answer, no partition is stuck: everything may be waiting for the broker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import NamedTuple

from faust.types import TP


class PartitionPosition(NamedTuple):
    """The observed positions of a partition.

    Attributes:
        committed: the group's position.
        processed: every record below this offset is processed.
        lagging: True if there is something that is not committed.
    """

    committed: int
    processed: int
    lagging: bool


class Liveness:
    """The last activity on each partition of one app, in seconds of `clock`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._attempted: dict[TP, float] = {}
        self._saved: dict[TP, float] = {}
        self._positions: dict[TP, PartitionPosition] = {}
        self._running: dict[object, tuple[TP, float]] = {}
        self._broker_unreachable_at = clock()

    def attempt_started(self, work: object, tp: TP, due: float = 0.0) -> None:
        """Record that an attempt at a record of `tp` started, or that it must start within `due` seconds."""
        self._running[work] = tp, self._clock() + due

    def attempt_ended(self, work: object) -> None:
        """Record that an attempt ended or waits for a retry."""
        self._running.pop(work, None)

    def broker_unreachable(self) -> None:
        """Record that the broker does not answer now."""
        self._broker_unreachable_at = self._clock()

    def elapsed_since(self, moment: float) -> float:
        """Return the seconds since a moment of the clock, or since the broker last did not answer, if that is later."""
        return max(0.0, self._clock() - max(moment, self._broker_unreachable_at))

    def running_for(self) -> dict[TP, float]:
        """Return the seconds since the oldest running attempt started, by partition, also of revoked partitions."""
        ages: dict[TP, float] = {}
        for tp, started in self._running.values():
            ages[tp] = max(self.elapsed_since(started), ages.get(tp, 0.0))
        return ages

    def record_attempt(self, tp: TP, due: float = 0.0) -> None:
        """Record that a record of `tp` was taken, attempted or processed, or is due to be retried in `due` seconds."""
        self._attempted[tp] = max(self._attempted.get(tp, 0.0), self._clock() + due)

    def record_topic_wait(self, topic: str, due: float) -> None:
        """Record that all partitions of `topic` wait for a retry that is due in `due` seconds."""
        for tp in self._positions:
            if tp.topic == topic:
                self.record_attempt(tp, due)

    def observe(self, tp: TP, now: PartitionPosition) -> None:
        """Record the present positions of `tp`."""
        before, clock = self._positions.get(tp), self._clock()
        self._positions[tp] = now
        committed = before is None or now.committed != before.committed
        if committed or now.processed <= now.committed:
            self._saved[tp] = clock
        if committed or not now.lagging:
            self.record_attempt(tp)

    def retain(self, tps: Collection[TP]) -> None:
        """Forget all partitions except `tps`, because they belong to other members now."""
        for known in (self._attempted, self._saved, self._positions):
            for tp in known.keys() - tps:
                del known[tp]

    def stalled_for(self) -> dict[TP, float]:
        """Return the seconds since the last activity, for each partition that was lagging when last observed."""
        now = self._clock()
        return {tp: max(0.0, now - self._last_activity(tp, at)) for tp, at in self._positions.items() if at.lagging}

    def _last_activity(self, tp: TP, at: PartitionPosition) -> float:
        """Return the time of the last activity. Attempts don't count while what is processed is not committed."""
        return min(self._attempted[tp], self._saved[tp]) if at.processed > at.committed else self._attempted[tp]
