"""Parking: what can't be worked on soon leaves the window into a durable queue of its key, and comes back in order.

The rows are in a table of the app (`rows`). A record that is parked is written to the table's changelog before its
offset is released, and its row is deleted together with the commit of its outputs. So it survives what every other row
survives: kills, rebalances, lost volumes.

A key with parked records is parked further until all of them are in memory again, so nothing overtakes anything.

There are two kinds of queues. That of a key has what the key has too much of, or what can't be worked on now. That of a
group has what a group has too much of, of all of its keys, in the order of arrival: one queue, however many keys a
backlog has. A record that comes back from it is moved into the queue of its key where that one's records wait. Records
of one key may lie in both, and are loaded in the order of their offsets (`Rotation`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from pipeline.logging import get_logger
from pipeline.runtime.flows.fairness import FairKey, Fairness, group_key
from pipeline.runtime.flows.in_flight import InFlightRecord
from pipeline.runtime.flows.shares import Shares
from pipeline.runtime.parking.queue_rows import TABLE, QueueRows, QueueWrites
from pipeline.runtime.parking.queues import ParkedQueue, Rotation, total
from pipeline.runtime.parking.rows import (
    QUEUE,
    ParkedRecord,
    decode_queue,
    decode_record,
    encode_record,
    offset_in,
    queue_digest,
    record_key,
    timestamp_in,
)
from pipeline.runtime.parking.suspects import ParkedSuspects
from pipeline.runtime.tables.tables import Tables
from pipeline.runtime.tables.views import TableWrite

log = get_logger(__name__)

MAX_LOADED: Final = 500
"""Parked records of one partition that may be in memory."""
ROOM_RATIO: Final = 0.95
"""Share of the bound below which there is room again. A bound alone would be crossed with each record."""
LOAD_AT_ONCE: Final = 32
"""Records that one queue may load before it is the next one's turn."""


class Parking:
    """The parked records of one flow.

    Args:
        source: the flow's topic.
        is_held: returns True if no further record of a key is of use now.
        max_bytes: bytes of all parked records of this flow in this process. At more nothing is parked.
        suspects: decides which records may be loaded.

    Attributes:
        without_memory: partitions with records to load for which there is no room in memory. Who looks clears it.
    """

    def __init__(
        self,
        tables: Tables,
        source: str,
        fairness: Fairness,
        is_held: Callable[[FairKey], bool],
        max_bytes: int,
        suspects: ParkedSuspects,
    ) -> None:
        self._tables = tables
        self._source = source
        self._fairness = fairness
        self._is_held = is_held
        self._max_bytes = max_bytes
        self._suspects = suspects
        self._partitions: dict[int, Rotation] = {}
        self._shares: dict[int, Shares] = {}
        self._rows = QueueRows(source)
        self._size = 0
        self._full = False
        self.without_memory: set[int] = set()

    # Partitions

    def open(self, committed: Mapping[int, int]) -> None:
        """Read the queues of these partitions from the table, and forget all others.

        `committed` are their committed positions. Records from there on arrive again from their topic, and those that
        were not parked come before those that were. So a parked one is not loaded before it has arrived again itself.
        """
        self._partitions = {partition: Rotation(position) for partition, position in committed.items()}
        self._shares = {partition: self._new_shares() for partition in self._partitions}
        self._rows.clear()
        self._size = 0
        for partition, rotation in self._partitions.items():
            for queue in self._read_queues(partition):
                rotation.queues[queue.fair_key] = queue
                rotation.wake(queue.fair_key)
                self._size += queue.size
            self._suspects.open(partition, len(rotation.queues), partial(self._has_row, partition))
        self._check_size()

    def _has_row(self, partition: int, offset: int) -> bool:
        rows = self._tables[TABLE].partition(partition)
        queues = self._partitions[partition].queues.values()
        return any(rows.get(record_key(queue.digest, offset)) is not None for queue in queues)

    def _new_shares(self) -> Shares:
        return Shares(MAX_LOADED, self._fairness.has_groups, self._fairness.weight)

    def _read_queues(self, partition: int) -> Iterator[ParkedQueue]:
        for key, row in self._tables[TABLE].scan(partition, QUEUE):
            if not key.startswith(QUEUE):
                return
            found = decode_queue(row)
            if found.topic == self._source:
                digest = key[len(QUEUE) :]
                queue = ParkedQueue(found.fair_key, digest, partition, found.records, found.size, recovered=True)
                self._rows.open(queue)
                self._find_first(queue, found.front)
                yield queue

    def _find_first(self, queue: ParkedQueue, front: int) -> None:
        queue.cursor = front
        for key, row in self._tables[TABLE].scan(queue.partition, record_key(queue.digest, front)):
            if (offset := offset_in(key, queue.digest)) is not None:
                queue.cursor = queue.oldest_from = offset
                queue.oldest = timestamp_in(row)
            return

    def queues(self) -> Iterator[ParkedQueue]:
        """Return all queues."""
        for rotation in self._partitions.values():
            yield from rotation.queues.values()

    def count(self) -> tuple[int, int]:
        """Return the number of parked records and their bytes."""
        return total(self.queues())

    # Leaving the window

    def taken(self, partition: int, position: int) -> None:
        """Note that all records of the topic below `position` were taken."""
        if (rotation := self._partitions.get(partition)) is not None:
            rotation.move(position)

    def must_park(self, partition: int, fair_key: FairKey, offset: int) -> FairKey | None:
        """Return the key of the queue into which a record must go, because others wait in front of it.

        It is the queue in which it lies, if it is parked. None: nothing waits in front of it.
        """
        rotation = self._partitions.get(partition)
        if rotation is None or not rotation.queues:
            return None
        for key in (group_key(fair_key[0]), fair_key):
            queue = rotation.queues.get(key)
            if queue is not None and self._stands_in_front(queue, offset):
                return key
        return None

    def _stands_in_front(self, queue: ParkedQueue, offset: int) -> bool:
        """Return True if records of a queue wait in front of this one that are not in memory, or if it is parked."""
        if queue.drained or offset < min(queue.cursor, min(queue.unsaved, default=queue.cursor)):
            return False
        # All rows may lie behind a record that waits for room. It would wait for theirs.
        return not self._full or self._waits_before(queue, offset)

    def _waits_before(self, queue: ParkedQueue, offset: int) -> bool:
        """Return True if a record at or before `offset` is not in memory."""
        if queue.loadable_until < offset:
            return True
        for key, _ in self._tables[TABLE].scan(queue.partition, record_key(queue.digest, queue.cursor)):
            if (found := offset_in(key, queue.digest)) is None or found > offset:
                return False
            if found not in queue.loaded and found not in queue.finished:
                return True
        return False

    def set_room_from(self, partition: int, fair_key: FairKey, offset: float) -> None:
        """Load nothing of a queue from an offset on: a record waits there for room. Infinity: none does."""
        rotation = self._partitions[partition]
        if (queue := rotation.queues.get(fair_key)) is not None:
            queue.room_from = offset
            rotation.wake(fair_key)
            rotation.wake_behind(fair_key[0])

    @property
    def has_room(self) -> bool:
        """True if records may be parked: there is room on the disk."""
        return not self._full

    @property
    def used_ratio(self) -> float:
        """Share of the bound that is used."""
        return self._size / self._max_bytes

    def may_park(self, partition: int) -> bool:
        """Return True if a record may leave the window: there is room on the disk."""
        return not self._full and partition in self._partitions

    def is_parked(self, item: InFlightRecord) -> bool:
        """Return True if a record that arrived again from its topic is in the table already."""
        keys = (item.fair_key, group_key(item.fair_key[0]))
        return any(self._has_recovered(item.tp.partition, key, item.record.offset) for key in keys)

    def _has_recovered(self, partition: int, fair_key: FairKey, offset: int) -> bool:
        queue = self._partitions[partition].queues.get(fair_key)
        if queue is None or not queue.recovered:
            return False
        return self._tables[TABLE].partition(partition).get(record_key(queue.digest, offset)) is not None

    def park(self, item: InFlightRecord, fair_key: FairKey) -> list[TableWrite]:
        """Return the writes that put a record into a queue. Call `parked` when they are durable."""
        return [] if self.is_parked(item) else self._put(item, fair_key)

    def _put(self, item: InFlightRecord, fair_key: FairKey) -> list[TableWrite]:
        partition, offset = item.tp.partition, item.record.offset
        rotation = self._partitions[partition]
        queue = rotation.queues.get(fair_key)
        if queue is None:
            digest = queue_digest(self._source, fair_key)
            queue = rotation.queues[fair_key] = ParkedQueue(
                fair_key, digest, partition, cursor=offset, oldest=item.record.timestamp, oldest_from=offset
            )
        row = encode_record(item.record)
        queue.rows += 1
        queue.unsaved.add(offset)
        self._resize(queue, len(row))
        self._rows.expect(queue)
        return [(TABLE, partition, record_key(queue.digest, offset), row)]

    def parked(self, item: InFlightRecord, fair_key: FairKey) -> None:
        """Note that a record's row is durable."""
        rotation = self._partitions[item.tp.partition]
        if (queue := rotation.queues.get(fair_key)) is None:  # it had arrived again, and is finished meanwhile
            return
        if item.record.offset in queue.unsaved:
            queue.unsaved.discard(item.record.offset)
            queue.cursor = min(queue.cursor, item.record.offset)
        rotation.wake(fair_key)
        rotation.wake_behind(fair_key[0])

    # Coming back

    def group_in_memory(self, partition: int, group: str) -> bool:
        """Return True if a parked record of a group is in memory."""
        return partition in self._shares and self._shares[partition].group_uses(group)

    @property
    def loaded(self) -> int:
        """Number of records in memory."""
        return sum(shares.used for shares in self._shares.values())

    def load(self) -> Iterator[tuple[ParkedQueue, ParkedRecord]]:
        """Load records while there is room, queue by queue in turn."""
        for partition, rotation in self._partitions.items():
            if rotation and self._suspects.may_load(partition):
                yield from self._load_partition(partition, rotation)
        self._suspects.end_load()

    def _load_partition(self, partition: int, rotation: Rotation) -> Iterator[tuple[ParkedQueue, ParkedRecord]]:
        shares, rotation.has_woken = self._shares[partition], True
        while rotation.has_woken:
            rotation.has_woken = False
            for queue in rotation.in_turn():
                if self._is_held(queue.fair_key) or queue.waiting <= 0:
                    rotation.rest(queue.fair_key)
                    continue
                if shares.used >= MAX_LOADED:
                    self.without_memory.add(partition)
                    return
                yield from self._load_queue(queue, shares, rotation)
                if queue.is_group:
                    rotation.wake_behind(queue.fair_key[0])
                if not self._suspects.may_load(partition):
                    return

    def _load_queue(
        self, queue: ParkedQueue, shares: Shares, rotation: Rotation
    ) -> Iterator[tuple[ParkedQueue, ParkedRecord]]:
        count, until, reach = 0, min(rotation.position, queue.loadable_until), rotation.reach(queue)
        for key, row in self._tables[TABLE].scan(queue.partition, record_key(queue.digest, queue.cursor)):
            if (offset := offset_in(key, queue.digest)) is None:
                break
            if offset in queue.loaded or offset in queue.unsaved or offset in queue.finished:
                continue
            queue.cursor = offset  # all before it are known, and others of its group may wait for no more than this one
            if offset >= until:
                rotation.rest_until_taken(queue.fair_key)
                return
            if offset >= reach:
                rotation.rest_behind_group(queue, offset)
                return
            if count == LOAD_AT_ONCE or not _fits(queue, shares) or not self._suspects.admits(queue, offset):
                return
            count += 1
            shares.add(queue.fair_key)
            queue.loaded.add(offset)
            queue.cursor = offset + 1
            yield queue, decode_record(self._source, queue.partition, offset, row)
        # The end of the queue: its row may have counted records whose rows a crash kept from being written.
        self._correct(queue, rotation)

    def _correct(self, queue: ParkedQueue, rotation: Rotation) -> None:
        if queue.waiting:
            queue.rows = len(queue.loaded) + len(queue.unsaved)
            self._rows.correct(queue, len(queue.loaded) + len(queue.finished))
        rotation.rest(queue.fair_key)
        self._remove_if_empty(queue, rotation)

    def belongs_to(self, item: InFlightRecord, fair_key: FairKey) -> bool:
        """Note the key of a record from its group's queue. Return False if it must go into the queue of its key."""
        partition, offset = item.tp.partition, item.record.offset
        shares, queue = self._shares[partition], self._partitions[partition].queues.get(fair_key)
        shares.remove(item.fair_key)
        fits = shares.fits(fair_key)
        shares.add(fair_key)
        item.fair_key = fair_key
        if self._is_held(fair_key) and not self._is_held(group_key(fair_key[0])):
            return False
        return fits and (queue is None or not self._stands_in_front(queue, offset))

    def move(self, item: InFlightRecord) -> list[TableWrite]:
        """Return the writes that move a record from its group's queue into that of its key. Call `moved` then."""
        fair_key, offset = item.fair_key, item.record.offset
        is_there = self._has_recovered(item.tp.partition, fair_key, offset)  # a crash kept it from being deleted here
        put = [] if is_there else self._put(item, fair_key)
        return [*put, self.finish(item.parked, offset, fair_key)]

    def moved(self, item: InFlightRecord) -> None:
        """Note that a record is in the queue of its key, and no more in its group's."""
        queue, offset = item.parked, item.record.offset
        self.parked(item, item.fair_key)
        queue.finished.discard(offset)
        self._suspects.unloaded(queue, offset)
        self._remove_if_empty(queue, self._partitions[queue.partition])

    def unload(self, queue: ParkedQueue, offset: int) -> None:
        """Put a loaded record back. Its row has stayed where it was."""
        self._forget(queue, offset, queue.fair_key)
        queue.cursor = min(queue.cursor, offset)
        self._partitions[queue.partition].wake(queue.fair_key)
        self._suspects.unloaded(queue, offset)

    def finish(self, queue: ParkedQueue, offset: int, fair_key: FairKey) -> TableWrite:
        """Return the deletion of a loaded record that is finished. Call `deleted` when it is durable."""
        self._forget(queue, offset, fair_key)
        queue.finished.add(offset)
        self._resize(queue, -(queue.size // queue.rows))
        queue.rows -= 1
        if not queue.rows and (left := self._find_left(queue)) is not None:
            log.error("parked_count_wrong", topic=self._source, partition=queue.partition, detail="records are left")
            queue.rows, queue.cursor = 1, left
            self._rows.add_left(queue)
            self._partitions[queue.partition].wake(queue.fair_key)
        return TABLE, queue.partition, record_key(queue.digest, offset), b""

    def _find_left(self, queue: ParkedQueue) -> int | None:
        """Return the offset of a record that the count of its queue leaves out, which no fault should ever lose."""
        for key, _ in self._tables[TABLE].scan(queue.partition, record_key(queue.digest, queue.lowest)):
            if (offset := offset_in(key, queue.digest)) is None:
                return None
            if offset not in queue.finished:
                return offset
        return None

    def deleted(self, queue: ParkedQueue, offset: int) -> None:
        """Note that a record's row is gone."""
        queue.finished.discard(offset)
        self._suspects.finished(queue, offset)
        if (rotation := self._partitions.get(queue.partition)) is not None:
            self._remove_if_empty(queue, rotation)

    def _remove_if_empty(self, queue: ParkedQueue, rotation: Rotation) -> None:
        # A queue of an earlier epoch is none of this rotation.
        if queue.rows or queue.finished or rotation.queues.get(queue.fair_key) is not queue:
            return
        self._resize(queue, -queue.size)
        rotation.remove(queue.fair_key)
        if not rotation.queues:
            self._suspects.drained(queue.partition)

    def _forget(self, queue: ParkedQueue, offset: int, fair_key: FairKey) -> None:
        queue.loaded.discard(offset)
        self._shares[queue.partition].remove(fair_key)

    def wake(self, held: FairKey | str) -> None:
        """Load records of a key or group again."""
        for rotation in self._partitions.values():
            if isinstance(held, str):
                rotation.wake_group(held)
            else:
                rotation.wake(held)

    # Queues

    @property
    def has_corrections(self) -> bool:
        """True if rows of queues must be written although no record is."""
        return self._rows.has_corrections

    def queue_writes(self, writes: Iterable[TableWrite]) -> QueueWrites:
        """Return the rows of the queues that change with these writes."""
        return self._rows.writes(writes)

    def _resize(self, queue: ParkedQueue, size: int) -> None:
        queue.size += size
        self._size += size
        self._check_size()

    def _check_size(self) -> None:
        full = self._size >= self._max_bytes * (ROOM_RATIO if self._full else 1)
        if full and not self._full:
            log.error(
                "parking_full",
                topic=self._source,
                bytes=self._size,
                detail="records wait in front of others now: raise PIPELINE_PARKING_MAX_BYTES, or end the cause",
            )
        elif self._full and not full:
            log.warning("parking_has_room", topic=self._source, bytes=self._size, detail="records are parked again")
        self._full = full


def _fits(queue: ParkedQueue, shares: Shares) -> bool:
    """Return True if another record of a queue may be in memory. Those of a group's one are of many keys."""
    return shares.group_fits(queue.fair_key[0]) if queue.is_group else shares.fits(queue.fair_key)
