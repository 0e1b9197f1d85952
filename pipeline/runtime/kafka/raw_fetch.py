"""What a fetch brought of one partition, in the broker's own form: decoded when its flow takes it.

The thread that talks to Kafka would decode thousands of records at once, on another processor than the one that works
on them: each would be fetched from afar, long after. A tenth of what an event costs.

It overrides private names of aiokafka 0.14.0, which `tests/unit/runtime/faust/test_private_names.py` watches.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Iterator, Sequence
from typing import Any, NamedTuple

from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from faust.types import TP

from pipeline.kafka_headers import KeptBatch
from pipeline.topics.records import Header

_new = tuple.__new__


class FetchedRecord(NamedTuple):
    """An `Incoming`. aiokafka's own record is a dataclass of eleven attributes, which costs twice as much."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]


class Fetched:
    """Checked and not decoded.

    Attributes:
        offset: the first one that was asked for.
        end: where the next fetch goes on.
        size: in bytes.
        read: behind the last record of those that were decoded.
    """

    def __init__(self, tp: TP, batches: Sequence[KeptBatch], offset: int, end: int, size: int) -> None:
        self.tp = tp
        self.offset = offset
        self.end = end
        self.size = size
        self.read = offset
        self._batches = batches

    @property
    def count(self) -> int:
        """How many records it has, at most: compaction may have taken some."""
        return sum(batch.last_offset_delta + 1 for batch in self._batches)

    def records(self, offset: int) -> Iterator[FetchedRecord]:
        """Those from `offset` on, once."""
        topic, partition = self.tp
        self.read = max(offset, self.offset)
        for batch in self._batches:
            for one in batch:
                at = one.offset
                if at >= self.read:
                    self.read = at + 1
                    yield _new(FetchedRecord, (topic, partition, at, one.timestamp, one.key, one.value, one.headers))


class Undecoded(OrderedDict[TP, Any]):
    """A fetcher's results. Those of `topics` come as one `Fetched` each."""

    def __init__(self, topics: Container[str]) -> None:
        super().__init__()
        self._topics = topics

    def __setitem__(self, tp: TP, result: Any) -> None:
        if tp.topic in self._topics and isinstance(result, FetchResult):
            found = result._partition_records
            found._records_iterator = _whole(tp, found)
        super().__setitem__(tp, result)


def _whole(tp: TP, found: PartitionRecords) -> Iterator[Fetched]:
    """Takes the place of `PartitionRecords._unpack_records`, without transactions: a worker reads what is written."""
    offset, size, batches = found.next_fetch_offset, found._records.size_in_bytes(), list[KeptBatch]()
    while found._records.has_next():
        batch = found._records.next_batch()
        if not batch.validate_crc():
            raise CorruptRecordException(f"Invalid CRC - {tp}")
        found.next_fetch_offset = batch.next_offset
        if not batch.is_control_batch:
            batches.append(batch)
    if batches:
        yield Fetched(tp, batches, offset, found.next_fetch_offset, size)
