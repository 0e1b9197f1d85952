"""The window of a concurrent flow: the records in memory, and the decision which of them are parked."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Final

from faust.types import TP

from pipeline.runtime.flows.context import FlowContext
from pipeline.runtime.flows.fairness import NO_FAIR_KEY, FairKey, Fairness, group_key
from pipeline.runtime.flows.holds import Holds, HoldTarget
from pipeline.runtime.flows.in_flight import MAX_UNFINISHED, MAX_UNFINISHED_BYTES, InFlightRecord
from pipeline.runtime.flows.shares import Shares
from pipeline.runtime.parking.parking import Parking
from pipeline.runtime.parking.queue_rows import TABLE, QueueWrites
from pipeline.runtime.parking.queues import ParkedQueue
from pipeline.runtime.parking.room import RoomQueue, Waiting
from pipeline.runtime.parking.suspects import ParkedSuspects
from pipeline.runtime.parking.view import ParkedView
from pipeline.runtime.tables.views import TableWrite

UNIT: Final = MAX_UNFINISHED_BYTES // MAX_UNFINISHED
"""Bytes of a record that use one unit of the window, beside the unit that each record uses."""
NO_FAIRNESS: Final = Fairness(key=lambda _: NO_FAIR_KEY, has_groups=lambda: False)


class FairWindow:
    """Divides the window of each partition among keys and groups.

    A stage without turns takes records as they come, and so does an app without the table of parked records.
    """

    def __init__(
        self,
        context: FlowContext,
        source: str,
        fairness: Fairness | None,
        holds: Holds,
        wake: Callable[[], object],
    ) -> None:
        """`wake` makes the flow load parked records again."""
        self.fairness = fairness or NO_FAIRNESS
        self._source = source
        self._shares: dict[int, Shares] = {}
        self._room = RoomQueue()
        self._parking: Parking | None = None
        if fairness is not None and TABLE in context.tables:
            suspects = ParkedSuspects(context.assignment, source, self._in_memory, wake)
            self._parking = Parking(
                context.tables, source, fairness, holds.is_held, context.parking_max_bytes, suspects
            )
        self.view = ParkedView(context.tables, self.queues, holds, self.fairness)

    @property
    def used_ratio(self) -> float | None:
        """Share of the bound of parked bytes that is used; None: nothing can be parked."""
        return self._parking.used_ratio if self._parking is not None else None

    @property
    def is_full(self) -> bool:
        """True if nothing can be parked, because there is no room on the disk."""
        return self._parking is not None and not self._parking.has_room

    @property
    def loaded(self) -> int:
        """Number of parked records in memory."""
        return self._parking.loaded if self._parking is not None else 0

    def queues(self) -> Iterator[ParkedQueue]:
        """Return the queues of parked records."""
        return self._parking.queues() if self._parking is not None else iter(())

    @property
    def partitions(self) -> list[int]:
        """The partitions that have records in memory."""
        return list(self._shares)

    def start_epoch(self, committed: Mapping[int, int]) -> None:
        """Forget the records of an earlier epoch, and read the queues of these partitions.

        `committed` are their committed positions.
        """
        self._shares.clear()
        self._room.clear()
        if self._parking is not None:
            self._parking.open(committed)

    def taken(self, partition: int, position: int) -> None:
        """Note that all records of the topic below `position` were taken."""
        if self._parking is not None:
            self._parking.taken(partition, position)

    def parks(self, partition: int) -> bool:
        """Return True if records of a partition may be parked."""
        return self._parking is not None and self._parking.may_park(partition)

    def parks_groups(self, partition: int) -> bool:
        """Return True if records of a partition may be parked for what their group has too much of, or waits for."""
        return self.fairness.is_shared(partition) and self.parks(partition)

    # Records from the topic

    def admits(self, item: InFlightRecord) -> bool:
        """Return True if a record may be worked on now.

        False: it must go into the queue `item.queue_key`, at once or when there is room.
        """
        if self._parking is None or (item.parked is not None and not item.parked.is_group):
            return True
        fair_key = self.fairness.key(item.value) if item.decoded else ("", str(item.record.key))
        if item.parked is not None:
            item.queue_key = fair_key
            return self._parking.belongs_to(item, fair_key)
        item.fair_key = fair_key
        partition, offset = item.tp.partition, item.record.offset
        found = fair_key if fair_key in self._room else self._parking.must_park(partition, fair_key, offset)
        if found is not None:
            item.queue_key = found
            return False
        item.units = 1 + len(item.record.value or b"") // UNIT
        shares = self._shares.get(partition) or self._new_shares(partition)
        if not shares.fits(fair_key, item.units) and (key := self._too_much(shares, partition, item)) is not None:
            item.queue_key = key
            return False
        shares.add(fair_key, item.units)
        item.counted = True
        return True

    def _too_much(self, shares: Shares, partition: int, item: InFlightRecord) -> FairKey | None:
        """Return the key of the queue for a record whose key or group has too much; None if it isn't parked for it."""
        if shares.key_is_full(item.fair_key, item.units):
            return item.fair_key if self.parks(partition) else None
        return group_key(item.fair_key[0]) if self.parks_groups(partition) else None

    def _new_shares(self, partition: int) -> Shares:
        shares = self._shares[partition] = Shares(MAX_UNFINISHED, self.fairness.has_groups, self.fairness.weight)
        return shares

    def remove(self, item: InFlightRecord) -> None:
        """Note that a record from the topic is finished, or leaves."""
        if item.counted:
            item.counted = False
            self._shares[item.tp.partition].remove(item.fair_key, item.units)

    # Records that wait for room

    def wait_for_room(self, key: Hashable, item: InFlightRecord) -> bool:
        """Return True if a record that must be parked has to wait first, in order, until there is room."""
        parking = self._parking
        if parking is None or item.parked is not None or (parking.has_room and item.fair_key not in self._room):
            return False
        if parking.is_parked(item):  # it arrived again from its topic, and its row is on the disk
            return False
        self._room.add(key, item)
        self._update_room(item)
        return True

    def leaving_room(self) -> Iterator[Waiting]:
        """Return records that wait for room and need not any more, with their ordering keys."""
        parking = self._parking
        if parking is None:
            return
        for first in self._room.first():
            if parking.has_room or parking.must_park(first.tp.partition, first.fair_key, first.record.offset) is None:
                leaving = self._room.pop(first.fair_key)
                self._update_room(first)
                yield from leaving

    def _update_room(self, item: InFlightRecord) -> None:
        """Load nothing behind records of a key or its group that wait for room."""
        assert self._parking is not None
        partition, group = item.tp.partition, item.fair_key[0]
        waiting = [each for each in self._room.items() if each.fair_key[0] == group and each.tp == item.tp]
        of_key = (each.record.offset for each in waiting if each.fair_key == item.fair_key)
        self._parking.set_room_from(partition, item.fair_key, min(of_key, default=math.inf))
        of_group = (each.record.offset for each in waiting)
        self._parking.set_room_from(partition, group_key(group), min(of_group, default=math.inf))

    def waiting_for_room(self) -> Iterator[InFlightRecord]:
        """Return the records that wait for room."""
        return self._room.items()

    # Parked records

    def _in_memory(self, queue: ParkedQueue) -> bool:
        shares = self._shares.get(queue.partition)
        if queue.is_group:  # its next record may be of any key
            group = queue.fair_key[0]
            return self._parked_in_memory(queue.partition, group) or (shares is not None and shares.group_uses(group))
        return bool(queue.loaded) or (shares is not None and shares.used_by(queue.fair_key) > 0)

    def _parked_in_memory(self, partition: int, group: str) -> bool:
        return self._parking is not None and self._parking.group_in_memory(partition, group)

    def park(self, item: InFlightRecord) -> list[TableWrite]:
        """Return the writes that park a record in the queue `item.queue_key`. Call `parked` when they are durable."""
        if self._parking is None:
            return []
        return self._parking.move(item) if item.parked is not None else self._parking.park(item, item.queue_key)

    def parked(self, item: InFlightRecord) -> None:
        """Note that a record is parked."""
        if self._parking is None:
            return
        if item.parked is not None:
            self._parking.moved(item)
        else:
            self._parking.parked(item, item.queue_key)

    @property
    def without_memory(self) -> set[int]:
        """Partitions with parked records for which there is no room in memory. Who looks clears it."""
        return self._parking.without_memory if self._parking is not None else set()

    def load(self, epoch: int) -> Iterator[InFlightRecord]:
        """Load parked records that may be worked on, in turn."""
        if self._parking is None:
            return
        for queue, record in self._parking.load():
            tp = TP(self._source, queue.partition)
            yield InFlightRecord(tp, record, epoch, fair_key=queue.fair_key, parked=queue)

    def unload(self, item: InFlightRecord) -> None:
        """Put a loaded record back. Its row is still there."""
        if self._parking is not None:
            self._parking.unload(item.parked, item.record.offset)

    def finish(self, item: InFlightRecord) -> TableWrite:
        """Return the deletion of a loaded record that is finished."""
        assert self._parking is not None
        if item.deletion is None:
            item.deletion = self._parking.finish(item.parked, item.record.offset, item.fair_key)
        return item.deletion

    def deleted(self, item: InFlightRecord) -> None:
        """Note that the row of a loaded record is gone."""
        if self._parking is not None:
            self._parking.deleted(item.parked, item.record.offset)

    @property
    def has_corrections(self) -> bool:
        """True if rows of queues must be written although no record is."""
        return self._parking is not None and self._parking.has_corrections

    def queue_writes(self, writes: Iterable[TableWrite]) -> QueueWrites:
        """Return the rows of queues that change with these writes, for one batch of commits."""
        return QueueWrites([], []) if self._parking is None else self._parking.queue_writes(writes)

    def wake(self, held: HoldTarget) -> None:
        """Note that records of a key or group may be loaded again."""
        if self._parking is not None:
            self._parking.wake(held)
