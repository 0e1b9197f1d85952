"""The Kafka and Redis clients of tests, over connections that all tests share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from redis.asyncio import Redis

from pipeline import aiokafka_patches
from pipeline.replay.reader import TopicReader, open_reader
from pipeline.state.redis import RedisStore
from pipeline.topics import headers
from pipeline.topics.events import EventBase
from pipeline.topics.records import ConsumedRecord

_LARGEST = 6 * 1024 * 1024


class PublishedRecord(NamedTuple):
    """The position of a published record."""

    topic: str
    partition: int
    offset: int


class StackClients:
    """Clients that belong to one event loop.

    Attributes:
        read_lock: held while waiting for new records of the topics, since only one reader gets them.
    """

    store: RedisStore
    _producer: AIOKafkaProducer
    _admin: AIOKafkaAdminClient
    _reader: TopicReader
    _redis: Redis

    def __init__(self, bootstrap: str, redis_url: str, partitions: int) -> None:
        self._bootstrap = bootstrap
        self._redis_url = redis_url
        self._partitions = range(partitions)
        self._read: dict[tuple[str, int], int] = {}
        self._opened = AsyncExitStack()
        self.read_lock = asyncio.Lock()

    async def open(self) -> None:
        """Connect."""
        enter = self._opened.enter_async_context
        self._reader = await enter(open_reader(self._bootstrap))
        self._producer = await enter(_producer(self._bootstrap))
        self._admin = await enter(_admin(self._bootstrap))
        self._redis = await enter(Redis.from_url(self._redis_url))
        self.store = RedisStore(self._redis_url)
        self._opened.push_async_callback(self.store.close)

    async def close(self) -> None:
        """Disconnect."""
        await self._opened.aclose()

    async def publish(self, event: EventBase, topic: str) -> PublishedRecord:
        """Publish an event and return its position once the broker has acknowledged it."""
        named = {
            headers.TENANT: event.tenant_id,
            headers.PROVIDER: event.provider,
            headers.ACCOUNT: event.account,
            headers.EVENT_ID: event.event_id,
            headers.EVENT_TYPE: event.kind,
        }
        at = await self._producer.send_and_wait(
            topic,
            event.to_json(),
            event.conversation.encode(),
            headers=[(name, text.encode()) for name, text in named.items()],
        )
        return PublishedRecord(topic, at.partition, at.offset)

    async def count_uncommitted(self, group: str, places: Sequence[PublishedRecord]) -> int:
        """Return how many of these records the group has not committed yet."""
        partitions = {place: TopicPartition(place.topic, place.partition) for place in places}
        committed = await self._admin.list_consumer_group_offsets(group, partitions=[*set(partitions.values())])
        ends = {partition: found.offset for partition, found in committed.items()}
        return sum(ends.get(partition, 0) <= place.offset for place, partition in partitions.items())

    async def read_new(self, topic: str) -> list[ConsumedRecord]:
        """Return the records of a topic since the last call."""
        found: list[ConsumedRecord] = []
        for span in await self._reader.ranges(topic, self._partitions):
            start = self._read.get((topic, span.partition), span.start)
            found += [record async for record in self._reader.read(span._replace(start=start))]
            self._read[topic, span.partition] = span.end
        return found

    async def forget_rows(self) -> None:
        """Delete all rows."""
        await self._redis.flushall()

    async def age_rows(self, seconds: float) -> None:
        """Shorten the expiry of every row by so many seconds."""
        async for key in self._redis.scan_iter(count=1000):
            left = await self._redis.pttl(key)
            if left >= 0:
                await self._redis.pexpire(key, max(left - round(seconds * 1000), 0))


@asynccontextmanager
async def _producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    aiokafka_patches.install()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=_LARGEST) as producer:
        yield producer


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    aiokafka_patches.install()
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await client.start()
        yield client
    finally:
        await client.close()
