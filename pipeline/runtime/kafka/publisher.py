"""Publishing whole batches, every acknowledgement awaited.

Batches are built by hand and given to the producer whole: a fifth of the cost of sending record by record. A batch that
the broker refuses for its size is cut in two until it is known which records it means. A partition's batches go one
behind the other, so what follows a refused one does not overtake its good half.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pipeline.errors import Unacknowledged, Unavailable
from pipeline.metrics import OUTPUTS
from pipeline.runtime.kafka.accumulator import Content, Draft, Line
from pipeline.runtime.kafka.admin import changed
from pipeline.runtime.tables.fencing import OffsetRange
from pipeline.runtime.tables.views import TableWrite, group_by_partition
from pipeline.topics.records import Output, Record

TOPIC_TIMEOUT: Final = 30.0
"""Seconds in which a topic that there is shows up, also while its broker restarts."""
Largest = Callable[[Iterable[str]], Awaitable[Mapping[str, int]]]
"""Bytes of the largest batch that topics take, as far as that is known."""
Expected = Callable[[str], int | None]
"""The partition count that was recorded for a topic; None where none was."""


class Publisher:
    """Publishes through one idempotent producer that waits for all in-sync replicas."""

    def __init__(
        self, producer: AIOKafkaProducer, largest: Largest | None = None, expected: Expected = lambda _: None
    ) -> None:
        self._producer = producer
        self._largest = largest
        self._expected = expected
        self._partitions: dict[str, int] = {}
        self._sure: dict[str, int] = {}

    def draft(self, outputs: Iterable[Output] = ()) -> Draft:
        """What `send` takes; it takes more outputs until then."""
        draft = Draft(self._partitions, self._producer._message_accumulator._compression_type, self._sure)
        draft.extend(outputs)
        return draft

    async def publish(self, outputs: Iterable[Output]) -> list[Output]:
        """`send` of a draft of these."""
        return await self.send(self.draft(outputs))

    async def send(self, draft: Draft) -> list[Output]:
        """Returns when every output is acknowledged or refused; gives those that the broker refuses for their size.

        Raises `Unacknowledged` where there is neither: the process must end.
        """
        if topics := draft.unplaced:
            await self._measure(topics)
        for topic in topics:
            await self._count(topic)
            draft.place(topic)
        lines = await self._send(draft.lines)
        return [_refused(line.topic, content) for line in lines for content in line.refused]

    async def changelog(
        self, topics: dict[str, str], marks: Sequence[TableWrite]
    ) -> dict[tuple[str, int], OffsetRange]:
        """Publishes table writes to their changelogs; gives where they landed by table and partition."""
        tables = {topic: table for table, topic in topics.items()}
        draft = self.draft()
        for (table, partition), group in group_by_partition(marks):
            line = draft.line(topics[table], partition)
            for _, _, key, value in group:
                line.add(draft.now, key, value, [], None)
        lines = await self._send(draft.lines)
        for line in lines:
            if line.refused:
                size = len(line.refused[0].value)
                raise Unacknowledged(f"{line.topic} takes no row of {size} bytes: raise its max.message.bytes")
        return {(tables[line.topic], line.partition): line.span for line in lines if line.span}

    async def watch(self, topics: Iterable[str]) -> None:
        """Learns the partition counts of source topics, so that their records can keep their partitions."""
        for topic in topics:
            await self._count(topic)

    async def _measure(self, topics: Iterable[str]) -> None:
        """Learns what the broker surely takes: half of each limit, since a batch is more than its record."""
        if self._largest is not None:
            with suppress(Unavailable):
                self._sure |= {topic: limit // 2 for topic, limit in (await self._largest(topics)).items()}

    async def _count(self, topic: str) -> int:
        try:
            async with asyncio.timeout(TOPIC_TIMEOUT):
                partitions = await self._producer.partitions_for(topic)
        except (KafkaError, TimeoutError) as error:
            raise Unacknowledged(f"Kafka shows no topic {topic}: run `pipeline topics create`") from error
        count, expected = len(partitions), self._expected(topic)
        if expected not in (None, count):
            raise Unacknowledged(changed(f"{topic} has {count}", expected or 0))
        self._partitions[topic] = count
        return count

    async def _send(self, lines: list[Line]) -> list[Line]:
        try:
            while await self._send_one_of_each(lines):
                pass
        except KafkaError as error:
            raise Unacknowledged(f"the broker did not take an output: {error!r}") from error
        for line in lines:
            OUTPUTS.labels(line.topic).inc(line.span.records if line.span else 0)
        return lines

    async def _send_one_of_each(self, lines: Iterable[Line]) -> bool:
        """Whether there was any to send."""
        sent: list[tuple[Line, asyncio.Future[Any]]] = []
        try:
            for line in lines:
                if line.batches:
                    future = await self._producer.send_batch(line.batches[0], line.topic, partition=line.partition)
                    sent.append((line, future))
            for line, future in sent:
                await line.settle(future)
        finally:
            for _, future in sent:
                _consume(future)
        return bool(sent)


def _refused(topic: str, content: Content) -> Output:
    key, value, headers, source = content
    if source is None:
        raise Unacknowledged(f"{topic} takes no record of {len(value)} bytes any more: its limit was lowered meanwhile")
    return Record(topic, key, value, headers), source


def _consume(future: asyncio.Future[Any]) -> None:
    """Keeps asyncio from complaining of further failures when the first one was raised already."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
