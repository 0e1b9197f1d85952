"""Read the records that are on a topic now: without a group, partition by partition, one fetch in memory at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline import aiokafka_patches
from pipeline.errors import BackendUnavailable
from pipeline.topics.records import ConsumedRecord

REQUEST_TIMEOUT: Final = 5.0
"""Timeout for requests of metadata and offsets, in seconds."""
FETCH_TIMEOUT: Final = 10.0
"""Timeout for the next records, in seconds."""
MAX_FETCH_BYTES: Final = 8 * 1024 * 1024
"""Bytes of one fetch, the most that is in memory at a time."""


class PartitionRange(NamedTuple):
    """The offsets of one partition from `start` to before `end`."""

    topic: str
    partition: int
    start: int
    end: int


class TopicReader:
    """Reads partition ranges, one at a time."""

    def __init__(self, bootstrap: str, consumer: Any) -> None:
        self._bootstrap = bootstrap
        self._consumer = consumer

    async def ranges(self, topic: str, partitions: Iterable[int], since: int | None = None) -> list[PartitionRange]:
        """Return the present range of each partition, from the first record since `since` (in ms) to the last."""
        tps = [TopicPartition(topic, partition) for partition in partitions]
        with _kafka_errors(self._bootstrap):
            async with asyncio.timeout(REQUEST_TIMEOUT):
                starts, ends = await asyncio.gather(self._starts(tps, since), self._consumer.end_offsets(tps))
        return [PartitionRange(topic, tp.partition, starts.get(tp, ends[tp]), ends[tp]) for tp in tps]

    async def _starts(self, tps: list[TopicPartition], since: int | None) -> dict[TopicPartition, int]:
        """Return the start offset of each partition, without partitions that have no record since then."""
        if since is None:
            starts: dict[TopicPartition, int] = await self._consumer.beginning_offsets(tps)
            return starts
        found = await self._consumer.offsets_for_times(dict.fromkeys(tps, since))
        return {tp: at.offset for tp, at in found.items() if at is not None}

    async def read(self, part: PartitionRange) -> AsyncIterator[ConsumedRecord]:
        """Yield the records of a range. Records that retention removes meanwhile are skipped."""
        tp, position = TopicPartition(part.topic, part.partition), part.start
        if position >= part.end:
            return
        self._consumer.assign([tp])
        self._consumer.seek(tp, position)
        while position < part.end:
            for record in await self._next_records(tp, position):
                if record.offset >= part.end:
                    return
                yield record
            position = await self._consumer.position(tp)

    def rest(self) -> None:
        """Fetch nothing until the next range is read, so that a reader that is kept costs nothing."""
        self._consumer.pause(*self._consumer.assignment())

    async def _next_records(self, tp: TopicPartition, position: int) -> list[ConsumedRecord]:
        """Return the next records; none if only control or compacted records were passed."""
        with _kafka_errors(self._bootstrap):
            async with asyncio.timeout(FETCH_TIMEOUT):
                while True:
                    found: dict[TopicPartition, list[ConsumedRecord]] = await self._consumer.getmany(tp, timeout_ms=200)
                    if found or await self._consumer.position(tp) > position:
                        return found.get(tp, [])


@asynccontextmanager
async def open_reader(bootstrap: str) -> AsyncIterator[TopicReader]:
    """Connect a reader. Raise `Unavailable`, also while it reads, if Kafka does not answer in time."""
    aiokafka_patches.install()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=MAX_FETCH_BYTES,
        fetch_max_wait_ms=100,
        request_timeout_ms=int(REQUEST_TIMEOUT * 1000),
    )
    try:
        with _kafka_errors(bootstrap):
            async with asyncio.timeout(REQUEST_TIMEOUT):
                await consumer.start()
        yield TopicReader(bootstrap, consumer)
    finally:
        await consumer.stop()


@contextmanager
def _kafka_errors(bootstrap: str) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise BackendUnavailable(f"Kafka at {bootstrap} did not answer in time: look at the broker's log") from None
    except (KafkaError, OSError) as error:
        reason = type(error).__name__
        raise BackendUnavailable(
            f"can't read from Kafka at {bootstrap} ({reason}): start it or set PIPELINE_KAFKA"
        ) from None
