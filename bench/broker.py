"""Preparation and evaluation of a candidate on the broker: create topics, load webhooks, count results."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata

from bench import webhooks
from pipeline.errors import Unavailable
from pipeline.runtime.kafka.admin import create, describe
from pipeline.runtime.kafka.group_positions import Problem, open_positions
from pipeline.runtime.kafka.publisher import BatchPublisher
from pipeline.testing import TestRecord
from pipeline.topics.catalogue import RAW, Topic, catalogue
from pipeline.topics.records import Record

PARTITIONS: Final = 8
RAW_SHORT: Final = f"{RAW.name}.short"
_WEEK: Final = timedelta(days=7)
_DEADLINE: Final = 30.0
_CHUNK: Final = 5_000


def topics() -> list[Topic]:
    """Return the catalogue with the default lane only, and a shorter raw topic for slower candidates."""
    return [*catalogue(["default"], dedup_ttl=_WEEK, outcome_ttl=_WEEK), replace(RAW, name=RAW_SHORT)]


async def create_topics(bootstrap: str) -> None:
    await create(bootstrap, topics(), PARTITIONS, 1)


async def renew(bootstrap: str, names: Iterable[str]) -> None:
    """Delete topics of the catalogue and makes them again, empty."""
    gone = set(names)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(sorted(gone))
    finally:
        await admin.close()
    await _until_gone(bootstrap, gone)
    await create(bootstrap, [topic for topic in topics() if topic.name in gone], PARTITIONS, 1)


async def load(
    bootstrap: str, topic: str, numbers: range, make: Callable[[int, str], Record] = webhooks.record
) -> None:
    """Publish records by their numbers: webhooks, as the ingress would have."""
    async with _producer(bootstrap) as producer:
        publisher, nowhere = BatchPublisher(producer), TestRecord(None, None)
        for first in numbers[::_CHUNK]:
            chunk = range(first, min(first + _CHUNK, numbers.stop))
            await publisher.publish([(make(number, topic), nowhere) for number in chunk])


async def feed(
    bootstrap: str, topic: str, numbers: range, rate: float, make: Callable[[int, str], Record] = webhooks.record
) -> float:
    """Publish records, so many per second; return when the first one was due, seconds since the epoch."""
    async with _producer(bootstrap) as producer:
        publisher, nowhere = BatchPublisher(producer), TestRecord(None, None)
        await publisher.prefetch_metadata([topic])
        wall, began = time.time(), time.perf_counter()
        for place, number in enumerate(numbers):
            await asyncio.sleep(max(0.0, began + place / rate - time.perf_counter()))
            await publisher.publish([(make(number, topic), nowhere)])
    return wall


async def size(bootstrap: str, topic: str) -> int:
    """How many records a topic has been given."""
    async with _reader(bootstrap, topic) as consumer:
        return sum((await consumer.end_offsets(consumer.assignment())).values())


async def committed(bootstrap: str, groups: Iterable[str]) -> int:
    """Return how many records these groups have left behind, in all. Raise `Unavailable` if one is not known."""
    async with open_positions(bootstrap, _DEADLINE) as reader:
        found = [await reader.committed(group) for group in groups]
    if problems := [each for each in found if isinstance(each, Problem)]:
        raise Unavailable(f"the positions of a group could not be read: {problems[0]}")
    return sum(sum(each.values()) for each in found if not isinstance(each, Problem))


async def rewind(bootstrap: str, group: str, topic: str) -> None:
    """Set a group that has no members to the start of a topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.commit({place: OffsetAndMetadata(0, "") for place in places})
    finally:
        await consumer.stop()


async def counted(bootstrap: str, topic: str, name: Callable[[Any], bytes | None]) -> Counter[bytes | None]:
    """How often each name occurs among all records that a topic holds now."""
    found: Counter[bytes | None] = Counter()
    async with _reader(bootstrap, topic) as consumer:
        async for records in _until_end(consumer, topic):
            found.update(name(record) for record in records)
    return found


@asynccontextmanager
async def _producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def _reader(bootstrap: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, max_partition_fetch_bytes=1 << 20)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
        await consumer.seek_to_beginning()
        yield consumer
    finally:
        await consumer.stop()


async def _until_end(consumer: AIOKafkaConsumer, topic: str) -> AsyncIterator[Sequence[ConsumerRecord]]:
    ends = await consumer.end_offsets(consumer.assignment())
    while any([await consumer.position(place) < end for place, end in ends.items()]):
        for records in (await consumer.getmany(timeout_ms=500)).values():
            yield records


async def _until_gone(bootstrap: str, names: set[str]) -> None:
    deadline = time.monotonic() + _DEADLINE
    while await describe(bootstrap, names):
        if time.monotonic() > deadline:
            raise Unavailable(f"Kafka did not delete {', '.join(sorted(names))} in {_DEADLINE:.0f} s: run again")
        await asyncio.sleep(0.1)
