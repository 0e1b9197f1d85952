"""The tables of a messenger as Kafka and the disk keep them: changelogs, and RocksDB as a worker has it.

Rows reach the changelog a moment before the worker hears so. A worker that dies in between has written them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from pipeline.runtime.faust.rocksdb import GivenOptions
from pipeline.runtime.kafka.accumulator import RecordAccumulator
from pipeline.runtime.tables.fencing import OffsetRange
from pipeline.runtime.tables.store import ROCKSDB, TableStore
from pipeline.runtime.tables.tables import Tables
from pipeline.runtime.tables.views import TableWrite, group_by_partition
from pipeline.testing.memory_flows import InMemoryPublisher, OutputList
from pipeline.topics.records import Output, Record

ACKNOWLEDGED: Final = 0.003
"""Seconds from a request to the broker until its acknowledgement."""
OFFSET_KEY: Final = b"__faust\0offset__"

T = TypeVar("T")
Ranges = dict[tuple[str, int], OffsetRange]


class Disk:
    """The rows of all tables."""

    def __init__(self, directory: Path, tables: Iterable[str]) -> None:
        self._directory = directory
        self._names = tuple(tables)
        self._stores: dict[tuple[str, int], Any] = {}
        self._ends: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._written: dict[int, Sequence[TableWrite]] = {}
        """Writes that the changelog has and the rows don't, by their number."""
        self._count = 0

    def store(self, table: str, partition: int) -> Any:
        """Return the database of one partition of a table."""
        found = self._stores.get((table, partition))
        if found is None:
            path = self._directory / f"{table}-{partition}.db"
            found = self._stores[table, partition] = GivenOptions(**ROCKSDB, use_rocksdict=True).open(path)
        return found

    def tables(self) -> Tables:
        """Return the tables of a process that begins. It reads what the changelogs have."""
        for writes in self._written.values():
            self._recover(writes)
        self._written.clear()
        recovered = {f"{name}-changelog/{partition}": end - 1 for (name, partition), end in self._ends.items()}
        tables = Tables()
        for name in self._names:
            store = TableStore(
                _Table(name, self), lambda tp: recovered.get(f"{tp.topic}/{tp.partition}", -1), lambda: 0
            )
            tables.add(name, store)
        return tables

    def _recover(self, writes: Iterable[TableWrite]) -> None:
        for table, partition, key, value in writes:
            store = self.store(table, partition)
            if value:
                store[key] = value
            else:
                store.delete(key)

    def append(self, writes: Sequence[TableWrite]) -> tuple[int, Ranges]:
        """Append rows to their changelogs. Return the number of this request, and the offsets."""
        ranges: Ranges = {}
        for place, group in group_by_partition(sorted(writes, key=lambda write: write[:2])):
            count, first = sum(1 for _ in group), self._ends[place]
            self._ends[place] += count
            ranges[place] = OffsetRange(first, first + count - 1, count)
        self._count += 1
        self._written[self._count] = writes
        return self._count, ranges

    def stored(self, number: int) -> None:
        """Note that the process that wrote a request stores its rows now."""
        del self._written[number]

    def close(self) -> None:
        for store in self._stores.values():
            store.close()


class _Table:
    """The part of Faust's table that `TableStore` needs."""

    def __init__(self, name: str, disk: Disk) -> None:
        self.changelog_topic_name = f"{name}-changelog"
        self.offset_key = OFFSET_KEY
        self._name = name
        self._disk = disk

    @property
    def data(self) -> _Table:
        return self

    def _db_for_partition(self, partition: int) -> Any:
        return self._disk.store(self._name, partition)


class Publisher(InMemoryPublisher):
    """Publishes as a process does whose broker answers after a moment. What is on its way outlives the process.

    Args:
        on_outputs: called with records when the broker has them.
    """

    def __init__(self, disk: Disk, on_outputs: Callable[[Sequence[Record]], None]) -> None:
        super().__init__()
        self._disk = disk
        self._on_outputs = on_outputs

    async def send(self, accumulator: RecordAccumulator) -> list[Output]:
        """Publish all outputs. Return none as rejected."""
        assert isinstance(accumulator, OutputList)
        if accumulator.outputs:
            await _at_broker(lambda: self._on_outputs([record for record, _ in accumulator.outputs]))
        return []

    async def publish_changelog(self, topics: dict[str, str], writes: Sequence[TableWrite]) -> Ranges:
        """Publish rows. Return their offsets."""
        number, ranges = await _at_broker(lambda: self._disk.append(writes))
        self._disk.stored(number)
        return ranges


async def _at_broker(arrive: Callable[[], T]) -> T:
    """Do something at the broker, and return its result when the acknowledgement is there."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[T] = loop.create_future()

    def request() -> None:
        result = arrive()
        if not arrived.done():
            arrived.set_result(result)

    loop.call_later(ACKNOWLEDGED / 2, request)
    result = await arrived
    await asyncio.sleep(ACKNOWLEDGED / 2)
    return result
