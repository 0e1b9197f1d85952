"""Publishing whole batches, every acknowledgement awaited.

Batches are built by hand and given to the producer whole: a fifth of the cost of sending record by record. A batch that
the broker refuses for its size is cut in two until it is known which records it means. A partition's batches go one
behind the other, so what follows a refused one does not overtake its good half.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from pipeline.errors import Unacknowledged
from pipeline.metrics import OUTPUTS
from pipeline.runtime.chain import Output
from pipeline.runtime.partitions import partition_of
from pipeline.runtime.sequence import TOO_LARGE
from pipeline.runtime.sole_writer import Span
from pipeline.runtime.tables import Mark
from topics.records import Header

BATCH_BYTES: Final = 512 * 1024
TOPIC_TIMEOUT: Final = 30.0
"""Seconds in which a topic that there is shows up, also while its broker restarts."""
Content = tuple[bytes, bytes, Sequence[Header], Any]
"""Key, value and headers of a record, and what it was made of: an output or a mark."""
Groups = dict[tuple[str, int], list[Content]]
"""Contents by topic and partition."""


class Line:
    """What goes to one partition, in order.

    Attributes:
        refused: what the broker does not take.
        span: where the rest landed.
    """

    __slots__ = ("_at", "_batch", "_count", "_most", "_records", "partition", "refused", "span", "topic")

    def __init__(self, place: tuple[str, int], records: list[Content]) -> None:
        self.topic, self.partition = place
        self.refused: list[Content] = []
        self.span: Span | None = None
        self._records = records
        self._at = self._count = 0
        self._most = len(records)

    @property
    def left(self) -> bool:
        return self._at < len(self._records)

    def batch(self, compression: Any) -> BatchBuilder:
        """The next batch: as many records as fit, one at least."""
        first, now = self._records[self._at], time.time_ns() // 1_000_000
        builder = BatchBuilder(_size(first), compression)
        for record in self._records[self._at : self._at + self._most]:
            if not _append(builder, record, now):
                break
        self._count = builder.record_count()
        return builder

    async def settle(self, future: asyncio.Future[Any]) -> None:
        """Awaits the batch's acknowledgement, or its refusal."""
        try:
            offset = (await future).offset
        except TOO_LARGE:
            self._cut()
        else:
            self.landed(offset)

    def landed(self, offset: int) -> None:
        """The batch is on the broker, from `offset` on."""
        before = self.span or Span(offset, offset, 0)
        self.span = Span(before.first, offset + self._count - 1, before.records + self._count)
        self._most *= 2
        self._at += self._count

    def _cut(self) -> None:
        if self._count > 1:
            self._most = self._count // 2
        else:
            self.refused.append(self._records[self._at])
            self._at += 1


class Publisher:
    """Publishes through one idempotent producer that waits for all in-sync replicas."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._partitions: dict[str, int] = {}

    async def publish(self, outputs: Iterable[Output]) -> list[Output]:
        """Returns when every output is acknowledged or refused; gives those that the broker refuses for their size.

        Raises `Unacknowledged` where there is neither: the process must end.
        """
        groups: Groups = defaultdict(list)
        for output in outputs:
            record, source = output
            topic, key, value, headers = record
            count = self._partitions.get(topic) or await self._count(topic)
            # One key, one partition: what keeps its source's key keeps its partition, and needs no hash.
            same = key == source.key and count == self._partitions.get(source.topic)
            partition = source.partition if same else partition_of(key, count)
            groups[topic, partition].append((key, value, headers, output))
        return [output for line in await self._send(groups) for *_, output in line.refused]

    async def changelog(self, topics: dict[str, str], marks: Sequence[Mark]) -> dict[tuple[str, int], Span]:
        """Publishes table writes to their changelogs; gives where they landed by table and partition."""
        tables = {topic: table for table, topic in topics.items()}
        groups: Groups = defaultdict(list)
        for mark in marks:
            table, partition, key, value = mark
            groups[topics[table], partition].append((key, value, (), mark))
        lines = await self._send(groups)
        for line in lines:
            if line.refused:
                size = len(line.refused[0][1])
                raise Unacknowledged(f"{line.topic} takes no row of {size} bytes: raise its max.message.bytes")
        return {(tables[line.topic], line.partition): line.span for line in lines if line.span}

    async def watch(self, topics: Iterable[str]) -> None:
        """Learns the partition counts of source topics, so that their records can keep their partitions."""
        for topic in topics:
            await self._count(topic)

    async def _count(self, topic: str) -> int:
        try:
            async with asyncio.timeout(TOPIC_TIMEOUT):
                partitions = await self._producer.partitions_for(topic)
        except (KafkaError, TimeoutError) as error:
            raise Unacknowledged(f"Kafka shows no topic {topic}: run `pipeline topics create`") from error
        count = self._partitions[topic] = len(partitions)
        return count

    async def _send(self, groups: Groups) -> list[Line]:
        lines = [Line(place, records) for place, records in groups.items()]
        left = lines
        try:
            while left:
                await self._send_one_of_each(left)
                left = [line for line in left if line.left]
        except KafkaError as error:
            raise Unacknowledged(f"the broker did not take an output: {error!r}") from error
        for line in lines:
            OUTPUTS.labels(line.topic).inc(line.span.records if line.span else 0)
        return lines

    async def _send_one_of_each(self, lines: Iterable[Line]) -> None:
        sent: list[tuple[Line, asyncio.Future[Any]]] = []
        compression = self._producer._message_accumulator._compression_type
        try:
            for line in lines:
                batch = line.batch(compression)
                sent.append((line, await self._producer.send_batch(batch, line.topic, partition=line.partition)))
            for line, future in sent:
                await line.settle(future)
        finally:
            for _, future in sent:
                _consume(future)


def _size(first: Content) -> int:
    """Bytes of a batch that has room for its first record at least."""
    key, value, headers, _ = first
    overhead = 1024 + sum(4 * len(name) + len(text or b"") + 16 for name, text in headers)
    return max(BATCH_BYTES, len(key) + len(value) + overhead)


def _append(builder: BatchBuilder, record: Content, now: int) -> bool:
    key, value, headers, _ = record
    listed = headers if type(headers) is list else list(headers)  # aiokafka's builder takes no other sequence
    return builder.append(timestamp=now, key=key, value=value, headers=listed) is not None


def _consume(future: asyncio.Future[Any]) -> None:
    """Keeps asyncio from complaining of further failures when the first one was raised already."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
