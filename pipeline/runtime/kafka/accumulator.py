"""Accumulates outputs as record batches in the broker's own format.

An output is encoded into its partition's batch as soon as a stage has made it. If a thousand outputs were kept first,
they would have left the processor's cache by then and would be read from memory again: a tenth of an event's cost.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from pipeline.runtime.kafka.idempotent_producer import TOO_LARGE
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.runtime.tables.fencing import OffsetRange
from pipeline.topics.records import Header, Output

BATCH_BYTES: Final = 512 * 1024
"""Size above which a batch takes no further record, in bytes."""
SIZE_UNKNOWN: Final = -1
"""Guaranteed size of a topic whose limits are unknown: the origin of every record is kept."""


class RejectedRecord(NamedTuple):
    """A record decoded from a batch that the broker rejected for its size.

    Attributes:
        origin: the record that it was made from; None if its size is guaranteed to be accepted.
    """

    key: bytes
    value: bytes
    headers: Sequence[Header]
    origin: Any


class RecordBatch(BatchBuilder):  # type: ignore[misc]
    """Records in the broker's own format.

    A record's origin is kept only above `guaranteed_size` bytes, where the broker might reject the record. The origins
    of a batch are some twenty objects each: freed at once, their memory is reused while it is still in the cache.
    """

    def __init__(self, compression: int, guaranteed_size: int) -> None:
        super().__init__(BATCH_BYTES, compression)
        self._guaranteed_size = guaranteed_size
        self._origins: dict[int, Any] = {}

    def add(self, timestamp: int, key: bytes, value: bytes | None, headers: list[Header], origin: object) -> bool:
        """Return True if the record fits. The first record always does."""
        added = self._builder.append(self._relative_offset, timestamp, key, value, headers)
        if added is None:
            return False
        if added.size > self._guaranteed_size and origin is not None:
            self._origins[self._relative_offset] = origin
        self._relative_offset += 1
        return True

    def records(self) -> Iterator[RejectedRecord]:
        """Decode the records, for the rare batch that must be rebuilt."""
        for number, record in enumerate(MemoryRecords(bytes(self._build())).next_batch()):
            yield RejectedRecord(record.key, record.value, tuple(record.headers), self._origins.get(number))


class PartitionBatches:
    """The batches of one partition, in order.

    Attributes:
        batches: batches that are not sent yet, each with at least one record.
        rejected: records that the broker does not accept.
        acked: offsets of the acknowledged records.
    """

    __slots__ = ("_compression", "_guaranteed_size", "acked", "batches", "partition", "rejected", "topic")

    def __init__(self, topic: str, partition: int, compression: int, guaranteed_size: int) -> None:
        self.topic = topic
        self.partition = partition
        self.rejected: list[RejectedRecord] = []
        self.acked: OffsetRange | None = None
        self._compression = compression
        self._guaranteed_size = guaranteed_size
        self.batches = deque([self._new_batch()])

    def add(self, timestamp: int, key: bytes, value: bytes | None, headers: Sequence[Header], origin: object) -> None:
        listed = headers if type(headers) is list else list(headers)  # aiokafka's builder takes no other sequence
        if not self.batches[-1].add(timestamp, key, value, listed, origin):
            self.batches.append(self._new_batch())
            self.batches[-1].add(timestamp, key, value, listed, origin)

    async def await_ack(self, future: asyncio.Future[Any]) -> None:
        """Wait until the broker has acknowledged the first batch, or rejected it for its size."""
        try:
            offset = (await future).offset
        except TOO_LARGE:
            self._split(self.batches.popleft())
        else:
            self._record_ack(offset, self.batches.popleft().record_count())

    def _record_ack(self, offset: int, count: int) -> None:
        before = self.acked or OffsetRange(offset, offset, 0)
        self.acked = OffsetRange(before.first, offset + count - 1, before.records + count)

    def _split(self, batch: RecordBatch) -> None:
        """Split a rejected batch in two, until the records that are too large are alone."""
        records = list(batch.records())
        if len(records) == 1:
            self.rejected += records
        else:
            middle = len(records) // 2
            self.batches.extendleft((self._rebuild(records[middle:]), self._rebuild(records[:middle])))

    def _rebuild(self, records: Iterable[RejectedRecord]) -> RecordBatch:
        batch, now = self._new_batch(), now_ms()
        for record in records:
            batch.add(now, record.key, record.value, list(record.headers), record.origin)
        return batch

    def _new_batch(self) -> RecordBatch:
        return RecordBatch(self._compression, self._guaranteed_size)


class RecordAccumulator:
    """The outputs of a batch of records, encoded by partition.

    Attributes:
        now: timestamp of all records, in ms since the epoch.
        size: total size of the values, in bytes.
    """

    def __init__(
        self, partition_counts: Mapping[str, int], compression: int, guaranteed_size: Mapping[str, int]
    ) -> None:
        """Start empty.

        `guaranteed_size`: by topic, the record size in bytes that the broker accepts in any batch, where it is known.
        """
        self._partition_counts = partition_counts
        self._compression = compression
        self._guaranteed_size = guaranteed_size
        self.now = now_ms()
        self.size = 0
        self._batches: dict[tuple[str, int], PartitionBatches] = {}
        self._unrouted: dict[str, list[Output]] = {}

    @property
    def partition_batches(self) -> list[PartitionBatches]:
        return list(self._batches.values())

    @property
    def unrouted(self) -> list[str]:
        """Topics whose partition count was unknown when their first output came. Each needs `assign_partitions`."""
        return list(self._unrouted)

    def assign_partitions(self, topic: str) -> None:
        """Encode the waiting outputs of a topic whose partition count is known now."""
        outputs = self._unrouted.pop(topic)
        self.size -= sum(len(record.value) for record, _ in outputs)
        self.extend(outputs)

    def extend(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            record, source = output
            topic, key, value, headers = record
            count = self._partition_counts.get(topic)
            if count is None or topic in self._unrouted:
                self._unrouted.setdefault(topic, []).append(output)
                self.size += len(value)
                continue
            # One key, one partition: an output with its source's key keeps the partition, without a hash.
            same = key == source.key and count == self._partition_counts.get(source.topic)
            batches = self.batches_for(topic, source.partition if same else partition_of(key, count))
            batches.add(self.now, key, value, headers, source)
            self.size += len(value)

    def batches_for(self, topic: str, partition: int) -> PartitionBatches:
        batches = self._batches.get((topic, partition))
        if batches is None:
            guaranteed = self._guaranteed_size.get(topic, SIZE_UNKNOWN)
            batches = PartitionBatches(topic, partition, self._compression, guaranteed)
            self._batches[topic, partition] = batches
        return batches


def now_ms() -> int:
    return time.time_ns() // 1_000_000
