"""Fetched records of one partition in the broker's own format, decoded when their flow takes them.

The consumer's thread would decode thousands of records at once, on another processor core than the one that works on
them. Reading them from that core's cache later costs a tenth of an event.

It overrides private names of aiokafka 0.14.0, which `tests/unit/runtime/faust/test_private_names.py` watches.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Iterator, Sequence
from typing import Any, NamedTuple

from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from faust.types import TP

from pipeline.aiokafka_patches.header_names import RereadableBatch
from pipeline.topics.records import Header

_new = tuple.__new__


class FetchedRecord(NamedTuple):
    """A `ConsumedRecord`. aiokafka's own is a dataclass of eleven attributes, which costs twice as much."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]


class RawFetch:
    """Record batches whose checksums are verified, not decoded yet.

    Attributes:
        offset: the requested offset.
        end: the offset of the next fetch.
        size: size in bytes.
        read: the offset after the last decoded record.
    """

    def __init__(self, tp: TP, batches: Sequence[RereadableBatch], offset: int, end: int, size: int) -> None:
        self.tp = tp
        self.offset = offset
        self.end = end
        self.size = size
        self.read = offset
        self._batches = batches

    @property
    def count(self) -> int:
        """The largest possible number of records. Compaction may have removed some."""
        return sum(batch.last_offset_delta + 1 for batch in self._batches)

    def records(self, offset: int) -> Iterator[FetchedRecord]:
        """Decode the records from `offset` on. Can be iterated once."""
        topic, partition = self.tp
        self.read = max(offset, self.offset)
        for batch in self._batches:
            for one in batch:
                at = one.offset
                if at >= self.read:
                    self.read = at + 1
                    yield _new(FetchedRecord, (topic, partition, at, one.timestamp, one.key, one.value, one.headers))


class LazyFetchResults(OrderedDict[TP, Any]):
    """A fetcher's results by partition. Each result of one of `topics` yields a single `RawFetch`."""

    def __init__(self, topics: Container[str]) -> None:
        super().__init__()
        self._topics = topics

    def __setitem__(self, tp: TP, result: Any) -> None:
        if tp.topic in self._topics and isinstance(result, FetchResult):
            partition_records = result._partition_records
            partition_records._records_iterator = _raw_fetches(tp, partition_records)
        super().__setitem__(tp, result)


def _raw_fetches(tp: TP, found: PartitionRecords) -> Iterator[RawFetch]:
    """Replace `PartitionRecords._unpack_records`. No transactions: a worker reads uncommitted records too."""
    offset, size, batches = found.next_fetch_offset, found._records.size_in_bytes(), list[RereadableBatch]()
    while found._records.has_next():
        batch = found._records.next_batch()
        if not batch.validate_crc():
            raise CorruptRecordException(f"Invalid CRC - {tp}")
        found.next_fetch_offset = batch.next_offset
        if not batch.is_control_batch:
            batches.append(batch)
    if batches:
        yield RawFetch(tp, batches, offset, found.next_fetch_offset, size)
