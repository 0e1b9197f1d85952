"""Outputs in the form in which they go to the broker.

An output is put into its partition's batch as soon as a stage has made it. Kept until a thousand of them are there, it
would have left the processor's cache and be read from memory again: a tenth of what an event costs.
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
KEEP_ALL: Final = -1
"""Bytes that a topic surely takes, where that is not known."""


class Content(NamedTuple):
    """What is read back of a batch that the broker refused.

    Attributes:
        origin: what the record was made of; None if the broker was sure to take it.
    """

    key: bytes
    value: bytes
    headers: Sequence[Header]
    origin: Any


class Batch(BatchBuilder):  # type: ignore[misc]
    """Records in the broker's own form.

    What a record was made of is kept only for records above `sure` bytes, those that the broker might refuse. A batch's
    source records are some twenty objects each: let go at once, their memory is taken again while the processor still
    has it in its cache.
    """

    def __init__(self, compression: int, sure: int) -> None:
        super().__init__(BATCH_BYTES, compression)
        self._sure = sure
        self._origins: dict[int, Any] = {}

    def add(self, timestamp: int, key: bytes, value: bytes, headers: list[Header], origin: object) -> bool:
        """Whether there was room; the first always has it."""
        added = self._builder.append(self._relative_offset, timestamp, key, value, headers)
        if added is None:
            return False
        if added.size > self._sure and origin is not None:
            self._origins[self._relative_offset] = origin
        self._relative_offset += 1
        return True

    def contents(self) -> Iterator[Content]:
        """What is in it; for the rare batch that must be made anew."""
        for number, record in enumerate(MemoryRecords(bytes(self._build())).next_batch()):
            yield Content(record.key, record.value, tuple(record.headers), self._origins.get(number))


class Line:
    """What goes to one partition, in order.

    Attributes:
        batches: what is left to be sent, each with as many records as fit, one at least.
        refused: what the broker does not take.
        span: where the rest landed.
    """

    __slots__ = ("_compression", "_sure", "batches", "partition", "refused", "span", "topic")

    def __init__(self, topic: str, partition: int, compression: int, sure: int) -> None:
        self.topic = topic
        self.partition = partition
        self.refused: list[Content] = []
        self.span: OffsetRange | None = None
        self._compression = compression
        self._sure = sure
        self.batches = deque([self._new()])

    def add(self, timestamp: int, key: bytes, value: bytes, headers: Sequence[Header], origin: object) -> None:
        listed = headers if type(headers) is list else list(headers)  # aiokafka's builder takes no other sequence
        if not self.batches[-1].add(timestamp, key, value, listed, origin):
            self.batches.append(self._new())
            self.batches[-1].add(timestamp, key, value, listed, origin)

    async def settle(self, future: asyncio.Future[Any]) -> None:
        """Awaits the acknowledgement of the next batch, or its refusal."""
        try:
            offset = (await future).offset
        except TOO_LARGE:
            self._cut(self.batches.popleft())
        else:
            self._landed(offset, self.batches.popleft().record_count())

    def _landed(self, offset: int, count: int) -> None:
        before = self.span or OffsetRange(offset, offset, 0)
        self.span = OffsetRange(before.first, offset + count - 1, before.records + count)

    def _cut(self, batch: Batch) -> None:
        """In two, until it is known which records are meant."""
        contents = list(batch.contents())
        if len(contents) == 1:
            self.refused += contents
        else:
            middle = len(contents) // 2
            self.batches.extendleft((self._batch(contents[middle:]), self._batch(contents[:middle])))

    def _batch(self, contents: Iterable[Content]) -> Batch:
        batch, now = self._new(), milliseconds()
        for content in contents:
            batch.add(now, content.key, content.value, list(content.headers), content.origin)
        return batch

    def _new(self) -> Batch:
        return Batch(self._compression, self._sure)


class Draft:
    """The outputs of a batch; takes the place of a list of them.

    Attributes:
        now: the time of all of them, in ms since the epoch.
        size: bytes of their values.
    """

    def __init__(self, partitions: Mapping[str, int], compression: int, sure: Mapping[str, int]) -> None:
        """`sure`, by topic: bytes of a record that its broker takes whatever is around it, if that is known."""
        self._partitions = partitions
        self._compression = compression
        self._sure = sure
        self.now = milliseconds()
        self.size = 0
        self._lines: dict[tuple[str, int], Line] = {}
        self._unplaced: dict[str, list[Output]] = {}

    @property
    def lines(self) -> list[Line]:
        return list(self._lines.values())

    @property
    def unplaced(self) -> list[str]:
        """Topics that wait for `place`: their partitions were not known when their first output came."""
        return list(self._unplaced)

    def place(self, topic: str) -> None:
        """Its partitions are known now."""
        outputs = self._unplaced.pop(topic)
        self.size -= sum(len(record.value) for record, _ in outputs)
        self.extend(outputs)

    def extend(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            record, source = output
            topic, key, value, headers = record
            count = self._partitions.get(topic)
            if count is None or topic in self._unplaced:
                self._unplaced.setdefault(topic, []).append(output)
                self.size += len(value)
                continue
            # One key, one partition: what keeps its source's key keeps its partition, and needs no hash.
            same = key == source.key and count == self._partitions.get(source.topic)
            line = self.line(topic, source.partition if same else partition_of(key, count))
            line.add(self.now, key, value, headers, source)
            self.size += len(value)

    def line(self, topic: str, partition: int) -> Line:
        line = self._lines.get((topic, partition))
        if line is None:
            line = Line(topic, partition, self._compression, self._sure.get(topic, KEEP_ALL))
            self._lines[topic, partition] = line
        return line


def milliseconds() -> int:
    return time.time_ns() // 1_000_000
