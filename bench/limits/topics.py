"""Topics in memory: records are made when they are read, so that a million of them cost nothing while they wait."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from faust.types import TP

from pipeline.testing import TestRecord
from pipeline.topics.records import Record

Make = Callable[[int], Record]
"""Makes the record of a number."""


class _Stretch(NamedTuple):
    """Records that were appended together: the offset and the number of the first, how many, and when (ms)."""

    offset: int
    number: int
    length: int
    timestamp: int
    make: Make


class PartitionLog:
    """One partition of a topic.

    Attributes:
        end: the offset behind its last record.
        on_append: called when records are appended.
    """

    def __init__(self, tp: TP) -> None:
        self.tp = tp
        self.end = 0
        self.on_append: Callable[[], None] = lambda: None
        self._stretches: list[_Stretch] = []
        self._offsets: list[int] = []

    def append(self, make: Make, number: int, count: int, timestamp: int) -> None:
        """Append the records of `count` numbers from `number` on."""
        self._stretches.append(_Stretch(self.end, number, count, timestamp, make))
        self._offsets.append(self.end)
        self.end += count
        self.on_append()

    def read(self, offset: int, most: int) -> list[TestRecord]:
        """Return up to `most` records from an offset on."""
        return [self._record(each) for each in range(offset, min(self.end, offset + most))]

    def _record(self, offset: int) -> TestRecord:
        found = self._stretches[bisect_right(self._offsets, offset) - 1]
        made = found.make(found.number + offset - found.offset)
        topic, partition = self.tp
        return TestRecord(made.value, made.key, tuple(made.headers), topic, partition, offset, found.timestamp)


class Topics:
    """All topics, with the committed positions of the messenger's group."""

    def __init__(self) -> None:
        self.committed: dict[TP, int] = {}
        self._logs: defaultdict[str, dict[int, PartitionLog]] = defaultdict(dict)

    def log(self, topic: str, partition: int) -> PartitionLog:
        """Return a partition, an empty one at first."""
        return self._logs[topic].setdefault(partition, PartitionLog(TP(topic, partition)))

    def logs(self, topic: str) -> list[PartitionLog]:
        """Return the partitions of a topic that have ever been asked for."""
        return list(self._logs[topic].values())
