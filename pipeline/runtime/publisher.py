"""Publishing whole batches, every acknowledgement awaited.

Batches are built by hand and given to the producer whole: a fifth of the cost of sending record by record.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from pipeline.errors import Unacknowledged
from pipeline.metrics import OUTPUTS
from pipeline.runtime.chain import Output
from pipeline.runtime.partitions import partition_of
from pipeline.runtime.sole_writer import Span
from pipeline.runtime.tables import Mark
from topics.records import Header

BATCH_BYTES = 512 * 1024
TOPIC_TIMEOUT = 30.0
"""Seconds in which a topic that there is shows up, also while its broker restarts."""
Content = tuple[bytes, bytes, Sequence[Header]]
Sent = tuple[tuple[str, int], int, asyncio.Future[Any]]
"""A batch on its way: topic and partition, number of records, acknowledgement."""
Groups = dict[tuple[str, int], list[Content]]
"""Keys, values and headers by topic and partition."""


class Publisher:
    """Publishes through one idempotent producer that waits for all in-sync replicas."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._partitions: dict[str, int] = {}

    async def publish(self, outputs: Iterable[Output]) -> None:
        """Returns when every output is acknowledged. Raises `Unacknowledged` otherwise: the process must end."""
        groups: Groups = defaultdict(list)
        for record, source in outputs:
            count = self._partitions.get(record.topic) or await self._count(record.topic)
            # One key, one partition: what keeps its source's key keeps its partition, and needs no hash.
            same = record.key == source.key and count == self._partitions.get(source.topic)
            partition = source.partition if same else partition_of(record.key, count)
            groups[record.topic, partition].append(record[1:])
        await self._send(groups)

    async def changelog(self, topics: dict[str, str], marks: Sequence[Mark]) -> dict[tuple[str, int], Span]:
        """Publishes table writes to their changelogs; gives where they landed by table and partition."""
        groups: Groups = defaultdict(list)
        for table, partition, key, value in marks:
            groups[topics[table], partition].append((key, value, ()))
        landed = await self._send(groups)
        return {
            (table, place[1]): span
            for table, topic in topics.items()
            for place, span in landed.items()
            if place[0] == topic
        }

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

    async def _send(self, groups: Groups) -> dict[tuple[str, int], Span]:
        futures: list[Sent] = []
        try:
            for (topic, partition), records in groups.items():
                for batch in self._batches(records):
                    count = batch.record_count()
                    future = await self._producer.send_batch(batch, topic, partition=partition)
                    futures.append(((topic, partition), count, future))
                OUTPUTS.labels(topic).inc(len(records))
            return await _landed(futures)
        except KafkaError as error:
            raise Unacknowledged(f"the broker did not take an output: {error!r}") from error
        finally:
            for _, _, future in futures:
                _consume(future)

    def _batches(self, records: Sequence[Content]) -> Iterator[BatchBuilder]:
        builder, now = self._builder(records[0]), time.time_ns() // 1_000_000
        for record in records:
            if _append(builder, record, now):
                continue
            yield builder
            builder = self._builder(record)
            _append(builder, record, now)
        yield builder

    def _builder(self, first: Content) -> BatchBuilder:
        """A batch that has room for its first record at least."""
        key, value, headers = first
        overhead = 1024 + sum(4 * len(name) + len(text or b"") + 16 for name, text in headers)
        size = max(BATCH_BYTES, len(key) + len(value) + overhead)
        return BatchBuilder(size, self._producer._message_accumulator._compression_type)


def _append(builder: BatchBuilder, record: Content, now: int) -> bool:
    key, value, headers = record
    listed = headers if type(headers) is list else list(headers)  # aiokafka's builder takes no other sequence
    return builder.append(timestamp=now, key=key, value=value, headers=listed) is not None


async def _landed(batches: Sequence[Sent]) -> dict[tuple[str, int], Span]:
    spans: dict[tuple[str, int], Span] = {}
    for place, count, future in batches:
        first = (await future).offset
        before = spans.get(place, Span(first, first, 0))
        spans[place] = Span(before.first, first + count - 1, before.records + count)
    return spans


def _consume(future: asyncio.Future[Any]) -> None:
    """Keeps asyncio from complaining of further failures when the first one was raised already."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
