"""Counts the records that a concurrent flow has, by partition and state. Called once in a while, never per record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from faust.types import TP

from pipeline.runtime.flows.dead_letters import BlockedDeadLetters
from pipeline.runtime.flows.fetch_buffer import FetchBuffer
from pipeline.runtime.flows.in_flight import InFlight, InFlightRecord
from pipeline.runtime.flows.offsets import OffsetTracker
from pipeline.runtime.parking.queues import NOTHING_PARKED, ParkedSize
from pipeline.runtime.process.lag import PartitionWork, earliest

_NOTHING = OffsetTracker()


class WorkCount:
    """The records of one flow at one moment, by the number of their partition.

    Attributes:
        held: taken records that wait, or stand behind one of their key that waits.
        loaded: parked records in memory that do neither.
        oldest_runnable: timestamp of the oldest of all records that are not held.
        oldest_held: timestamp of the oldest held record.
    """

    def __init__(self, in_flight: InFlight, blocked: BlockedDeadLetters) -> None:
        self.held: Counter[int] = Counter()
        self.loaded: Counter[int] = Counter()
        self.oldest_runnable: dict[int, int] = {}
        self.oldest_held: dict[int, int] = {}
        self._in_flight = in_flight
        self._windows = in_flight.windows()
        self._blocked = blocked

    def count(self, queue: Iterable[InFlightRecord], *, held: bool) -> None:
        """Count records of one key. Calls nothing per record: there may be a thousand in each partition."""
        oldest, epoch = self.oldest_held if held else self.oldest_runnable, self._in_flight.epoch
        for item in queue:
            if item.epoch != epoch:
                continue
            partition, timestamp = item.record.partition, item.record.timestamp
            if partition not in oldest or timestamp < oldest[partition]:
                oldest[partition] = timestamp
            if item.parked is None and held:
                self.held[partition] += 1
            elif item.parked is not None and not held:
                self.loaded[partition] += 1

    def by_partition(
        self, buffer: FetchBuffer, parked: Mapping[TP, ParkedSize], *, accepting: bool
    ) -> dict[TP, PartitionWork]:
        """Return the work of each partition. `accepting`: the flow may take what is in its buffer."""
        heads = buffer.head_timestamps()
        return {
            tp: self._of(tp, heads.get(tp), parked.get(tp, NOTHING_PARKED), accepting)
            for tp in {*self._windows, *heads, *parked}
        }

    def _of(self, tp: TP, head: int | None, parked: ParkedSize, accepting: bool) -> PartitionWork:
        window = self._windows.get(tp, _NOTHING)
        # A blocked dead letter is in no queue of its key any more.
        held = self.held[tp.partition] + self._blocked.count(tp.partition)
        runnable = max(0, window.unfinished - held)
        # Nothing can be taken behind a full window. Where most of it is held, more workers would not empty it.
        blocked = not accepting or (held > runnable and self._in_flight.is_full(tp))
        loaded = min(self.loaded[tp.partition], parked.records)
        runnable_at, held_at = self.oldest_runnable.get(tp.partition), self.oldest_held.get(tp.partition)
        if parked.records > loaded:
            held_at = earliest(held_at, parked.oldest)
        return PartitionWork(
            runnable=runnable,
            held=held,
            finished=window.finished,
            parked=parked.records - loaded,
            oldest_runnable=runnable_at if blocked else earliest(runnable_at, head),
            oldest_held=earliest(held_at, head) if blocked else held_at,
            blocked=blocked,
            loaded=loaded,
        )
