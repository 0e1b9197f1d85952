"""The rows of queues: how many records the table has of each. No record is ever without the row of its queue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from pipeline.runtime.parking.queues import ParkedQueue
from pipeline.runtime.parking.rows import QueueRow, digest_in, encode_queue, queue_key
from pipeline.runtime.tables.views import TableWrite

TABLE: Final = "parked"
"""The table of parked records, one in each app that has a stage with fairness keys."""


class QueueWrites(NamedTuple):
    """Rows of queues for one batch of commits.

    A crash may keep a part of them, from the first on. A count that is too high is corrected when the queue is loaded.

    Attributes:
        before: counts with the records that the batch adds.
        after: counts without those that it deletes. A queue without records has no row.
    """

    before: list[TableWrite]
    after: list[TableWrite]


@dataclass(slots=True)
class _Count:
    """The records of one queue in the table, and their bytes.

    Attributes:
        expected: number of records that are about to be added.
    """

    queue: ParkedQueue
    records: int = 0
    size: int = 0
    expected: int = 0

    def add(self, size: int) -> None:
        """Count one of the expected records."""
        self.expected -= 1
        self.records += 1
        self.size += size

    def subtract(self) -> None:
        """Count one record less, of the average size."""
        self.size -= self.size // max(1, self.records)
        self.records -= 1


class QueueRows:
    """Counts the records of each queue by what is written to the table.

    Args:
        source: the flow's topic.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._counts: dict[tuple[int, bytes], _Count] = {}
        self._corrected: set[tuple[int, bytes]] = set()

    def clear(self) -> None:
        """Forget all."""
        self._counts.clear()
        self._corrected.clear()

    def open(self, queue: ParkedQueue) -> None:
        """Note a queue that was read from the table."""
        self._counts[queue.partition, queue.digest] = _Count(queue, queue.rows, queue.size)

    def expect(self, queue: ParkedQueue) -> None:
        """Note that a record of a queue is about to be added."""
        count = self._counts.setdefault((queue.partition, queue.digest), _Count(queue))
        count.queue = queue
        count.expected += 1

    def add_left(self, queue: ParkedQueue) -> None:
        """Count a record that was left out, so that the row of its queue stays."""
        self._counts.setdefault((queue.partition, queue.digest), _Count(queue)).records += 1

    def correct(self, queue: ParkedQueue, records: int) -> None:
        """Set the number of records that the table has. The next batch writes it."""
        count = self._counts.get((queue.partition, queue.digest))
        if count is not None and count.records != records:
            count.records = records
            self._corrected.add((queue.partition, queue.digest))

    @property
    def has_corrections(self) -> bool:
        """True if a row must be written although no record of its queue is."""
        return bool(self._corrected)

    def writes(self, writes: Iterable[TableWrite]) -> QueueWrites:
        """Return the rows of the queues whose records these writes add or delete."""
        added: set[tuple[int, bytes]] = set()
        removed, self._corrected = self._corrected, set()
        deletions: list[tuple[int, bytes]] = []
        for table, partition, key, value in writes:
            if table != TABLE:
                continue
            place = partition, digest_in(key)
            if value:
                added.add(place)
                self._counts[place].add(len(value))
            else:
                deletions.append(place)
        before = [self._row(place) for place in added]
        for place in deletions:
            removed.add(place)
            if (count := self._counts.get(place)) is not None:
                count.subtract()
        return QueueWrites(before, [self._row(place) for place in removed])

    def _row(self, place: tuple[int, bytes]) -> TableWrite:
        partition, digest = place
        count = self._counts.get(place)
        if count is None or count.records <= 0:
            if count is not None and not count.expected:
                del self._counts[place]
            return TABLE, partition, queue_key(digest), b""
        row = QueueRow(self._source, count.queue.fair_key, count.records, count.size, count.queue.lowest)
        return TABLE, partition, queue_key(digest), encode_queue(row)
