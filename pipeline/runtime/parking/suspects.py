"""Parked records that may end their process: which may be loaded now, and which must run alone first.

Nothing of a queue is loaded behind a suspect, so its order stays. A suspect is offered only when nothing of its key is
in memory and its key is not held: then nothing keeps it from running, and the process does not stand still in vain.
"""

from __future__ import annotations

from collections.abc import Callable

from faust.types import TP

from pipeline.runtime.flows.context import Assignment
from pipeline.runtime.parking.queues import ParkedQueue
from pipeline.runtime.quarantine.parked_gate import ParkedGate


class ParkedSuspects:
    """Asks the quarantine for the parked records of one flow.

    Args:
        source: the flow's topic.
        in_memory: returns True if a record of a queue's key is in memory.
        wake: makes the flow load again.
    """

    def __init__(
        self,
        assignment: Assignment,
        source: str,
        in_memory: Callable[[ParkedQueue], bool],
        wake: Callable[[], object],
    ) -> None:
        self._assignment = assignment
        self._source = source
        self._in_memory = in_memory
        self._wake = wake

    @property
    def _gate(self) -> ParkedGate:
        return self._assignment.quarantine.parked

    def open(self, partition: int, queues: int, is_parked: Callable[[int], bool]) -> None:
        """Begin with a partition. `is_parked` returns True for the offset of a parked record."""
        self._gate.open(TP(self._source, partition), queues, is_parked, self._wake)

    def may_load(self, partition: int) -> bool:
        """Return True if something of a partition may be loaded."""
        tp, alone = TP(self._source, partition), self._gate.alone
        return (alone is not None and alone.tp == tp) or self._gate.may_load(tp)

    def admits(self, queue: ParkedQueue, offset: int) -> bool:
        """Return True if the next record of a queue may be loaded. False: nothing more of the queue for now."""
        tp, gate = TP(self._source, queue.partition), self._gate
        if gate.is_alone(tp, offset):
            gate.taken = True
            gate.loaded(tp, offset)
            return True
        if not gate.may_load(tp):
            return False
        if not gate.must_run_alone(tp, offset):
            gate.loaded(tp, offset)
            return True
        if not self._in_memory(queue):
            gate.offer(tp, offset)
        return False

    def end_load(self) -> None:
        """Note that everything was loaded that can be. A record that should run alone and was not loaded does not."""
        gate = self._gate
        if gate.alone is not None and gate.alone.tp.topic == self._source and not gate.taken:
            gate.withdraw()

    def finished(self, queue: ParkedQueue, offset: int) -> None:
        """Note that a record's row is gone."""
        self._gate.finished(TP(self._source, queue.partition), offset)

    def unloaded(self, queue: ParkedQueue, offset: int) -> None:
        """Note that a record is back in its queue."""
        self._gate.unloaded(TP(self._source, queue.partition), offset)

    def drained(self, partition: int) -> None:
        """Note that a partition has no queues any more."""
        self._gate.drained(TP(self._source, partition))
