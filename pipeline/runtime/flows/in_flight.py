"""The records that a concurrent flow has taken and not finished, and what its consumer must know about them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from faust.types import TP

from pipeline.runtime.flows.commit_callbacks import Callback
from pipeline.runtime.flows.context import Assignment
from pipeline.runtime.flows.fairness import NO_FAIR_KEY, FairKey
from pipeline.runtime.flows.offsets import OffsetTracker
from pipeline.runtime.tables.views import TableWrite
from pipeline.topics.records import Output

MAX_UNFINISHED = 1_000
"""Records of one partition that may be taken and not finished."""
MAX_TAKEN = 4_000
"""Records of one partition from the first unfinished one on, the finished ones among them included."""
MAX_PARKED_BEHIND = 100_000
"""Records of one partition that may be parked behind the first unfinished one. They arrive again after a crash."""
MAX_UNFINISHED_BYTES = 4 * 1024 * 1024
"""Bytes of one partition that may be taken and not finished."""


@dataclass(slots=True, eq=False)
class InFlightRecord:
    """One record on its way through a concurrent stage.

    Attributes:
        decoded: False if only a newer version can read the record; it is decoded anew at each try.
        attempts: number of its failures, those for which something was away included.
        outages: number of its failures for which something was away.
        io_failures: number of its failures by an I/O error.
        probes: number of its failures while an open breaker kept it from being given up.
        dead: True if `outputs` is its dead letter.
        waits: True while it waits for another try.
        waits_for_group: True if what it waits for, or waited for last, holds its whole group.
        queue: the records of its ordering key, from the one that is worked on.
        fair_key: the group and key that share the window and the slots fairly.
        queue_key: key of the queue that it must be parked in.
        units: the part of the window that it uses, if it is `counted`.
        parked: the queue that it was loaded from; None if it comes from its topic.
        has_slot: True while it has a concurrency slot.
        waited_since: time of the event loop when it waited first.
        wakes_at: time of the event loop until which it waits; minus infinity while it does not.
        resumes_at: time of the event loop before which it is not tried again, once it has left the window.
        task: the task that waits for it.
        leaves: True once it must leave the window.
        deletion: the deletion of its row, once it is finished.
        callbacks: functions to call once a parked record can't come back.
    """

    tp: TP
    record: Any
    epoch: int
    value: Any = None
    decoded: bool = True
    attempts: int = 0
    outages: int = 0
    io_failures: int = 0
    probes: int = 0
    dead: bool = False
    waits: bool = False
    waits_for_group: bool = False
    queue: Sequence[InFlightRecord] = ()
    outputs: list[Output] = field(default_factory=list)
    journal: list[TableWrite] = field(default_factory=list)
    fair_key: FairKey = NO_FAIR_KEY
    queue_key: FairKey = NO_FAIR_KEY
    units: int = 1
    counted: bool = False
    parked: Any = None
    has_slot: bool = False
    waited_since: float = math.inf
    wakes_at: float = -math.inf
    resumes_at: float = -math.inf
    task: asyncio.Task[Any] | None = None
    leaves: bool = False
    deletion: TableWrite | None = None
    callbacks: list[Callback] = field(default_factory=list)

    def leave(self) -> None:
        """Make a waiting record leave the window."""
        if self.task is not None and not self.leaves:
            self.leaves = True
            self.task.cancel()


class Tried(NamedTuple):
    """What is kept in memory of a record that leaves the window, of its tries so far."""

    attempts: int
    outages: int
    io_failures: int
    probes: int
    resumes_at: float

    @classmethod
    def of(cls, item: InFlightRecord) -> Tried:
        return cls(item.attempts, item.outages, item.io_failures, item.probes, item.resumes_at)

    def restore(self, item: InFlightRecord) -> None:
        """Give a record that comes back its tries."""
        item.attempts, item.outages, item.io_failures, item.probes, item.resumes_at = self


class InFlight:
    """Counts taken and running records, tracks their offsets, and reports both to the assignment."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._trackers: dict[TP, OffsetTracker] = {}
        self._epoch = -1
        self._running = 0
        self._token: object = None

    @property
    def quiet(self) -> bool:
        """True if no record runs. Some may wait for another try."""
        return not self._running

    @property
    def unfinished(self) -> int:
        """Number of taken records. Those of an earlier epoch are not counted: they will be delivered again."""
        if self._epoch != self._assignment.epoch:
            return 0
        return sum(tracker.unfinished for tracker in self._trackers.values())

    def windows(self) -> dict[TP, OffsetTracker]:
        """Return the taken records of each partition; none of an earlier epoch."""
        return dict(self._trackers) if self.has_current_epoch else {}

    @property
    def has_current_epoch(self) -> bool:
        """True if positions were not set anew since `start_epoch`."""
        return self._epoch == self._assignment.epoch

    @property
    def epoch(self) -> int:
        """The epoch of the taken records."""
        return self._epoch

    def start_epoch(self) -> bool:
        """Forget the records of an earlier epoch. Return True if positions were set anew since the last call."""
        if self._epoch == self._assignment.epoch:
            return False
        self._epoch = self._assignment.epoch
        self._trackers.clear()
        return True

    def capacity(self, tp: TP) -> tuple[int, int]:
        """Return how many records and bytes of a partition may still be taken."""
        tracker = self._trackers.setdefault(tp, OffsetTracker())
        size = MAX_UNFINISHED_BYTES - tracker.size
        count = min(MAX_UNFINISHED - tracker.unfinished, MAX_TAKEN - tracker.taken, MAX_PARKED_BEHIND - tracker.parked)
        return (count if size > 0 else 0), size

    def is_full(self, tp: TP) -> bool:
        """Return True if no more records of a partition may be taken before others are finished."""
        return tp in self._trackers and self.capacity(tp)[0] <= 0

    def take(self, tp: TP, record: Any) -> InFlightRecord:
        """Start to track a record. Its offset is released when it and all before it are finished."""
        self._trackers[tp].track(record.offset, len(record.value or b""))
        return InFlightRecord(tp, record, self._epoch)

    def release(self, item: InFlightRecord, *, parked: bool = False) -> None:
        """Mark a record finished or parked, and let the position be committed if it moves."""
        if item.epoch == self._epoch:
            tracker = self._trackers[item.tp]
            position = (tracker.park if parked else tracker.finish)(item.record.offset)
            if position is not None:
                self._assignment.mark_processed(item.tp, position, item.epoch)

    def is_current(self, item: InFlightRecord) -> bool:
        """Return True if positions were not set anew since the record was taken."""
        return item.epoch == self._assignment.epoch

    def mark_survived(self, item: InFlightRecord) -> None:
        """Tell the quarantine that the record has run. Offsets of an earlier epoch are void."""
        if self.is_current(item):
            self._assignment.quarantine.survived(item.tp, item.record.offset)

    # A rebalance waits while any record is between `begin` and `end`.

    def begin(self, item: InFlightRecord) -> None:
        """Note that the record runs."""
        item.waits = False
        self._assignment.liveness.attempt_started(item, item.tp)
        self._running += 1
        if self._token is None:
            self._token = self._assignment.begin_work()

    def end(self, item: InFlightRecord) -> None:
        """Note that the record is finished, or waits."""
        self._assignment.liveness.attempt_ended(item)
        self._running -= 1
        if not self._running and self._token is not None:
            self._assignment.end_work(self._token)
            self._token = None
