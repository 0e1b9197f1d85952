"""Reads what lies on a topic now: no group, no offsets, in order for each partition, a fetch in memory at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline import aiokafka_patches
from pipeline.errors import Unavailable
from pipeline.topics.records import Incoming

TIMEOUT: Final = 5.0
"""Seconds in which a broker that is there answers a question."""
PATIENCE: Final = 10.0
"""Seconds in which it gives the next records."""
MAX_FETCH: Final = 8 * 1024 * 1024
"""Bytes of one fetch, all that is in memory at a time."""


class Span(NamedTuple):
    """A part of one partition: the offsets from `start` to before `end`."""

    topic: str
    partition: int
    start: int
    end: int


class Reader:
    """Reads spans, one at a time."""

    def __init__(self, bootstrap: str, consumer: Any) -> None:
        self._bootstrap = bootstrap
        self._consumer = consumer

    async def spans(self, topic: str, partitions: Iterable[int], since: int | None = None) -> list[Span]:
        """What is there at this moment: from the first record (made at `since`, in ms, or later) to the last."""
        places = [TopicPartition(topic, partition) for partition in partitions]
        with _asking(self._bootstrap):
            async with asyncio.timeout(TIMEOUT):
                starts, ends = await asyncio.gather(self._starts(places, since), self._consumer.end_offsets(places))
        return [Span(topic, place.partition, starts.get(place, ends[place]), ends[place]) for place in places]

    async def _starts(self, places: list[TopicPartition], since: int | None) -> dict[TopicPartition, int]:
        """Where to begin in each partition; those are left out that hold nothing so young."""
        if since is None:
            starts: dict[TopicPartition, int] = await self._consumer.beginning_offsets(places)
            return starts
        found = await self._consumer.offsets_for_times(dict.fromkeys(places, since))
        return {place: at.offset for place, at in found.items() if at is not None}

    async def read(self, span: Span) -> AsyncIterator[Incoming]:
        """The records of a span. Those that retention takes away meanwhile are left out."""
        place, position = TopicPartition(span.topic, span.partition), span.start
        if position >= span.end:
            return
        self._consumer.assign([place])
        self._consumer.seek(place, position)
        while position < span.end:
            for record in await self._some(place, position):
                if record.offset >= span.end:
                    return
                yield record
            position = await self._consumer.position(place)

    async def _some(self, place: TopicPartition, position: int) -> list[Incoming]:
        """The next records; none where only the position moved, past what a broker keeps for itself."""
        with _asking(self._bootstrap):
            async with asyncio.timeout(PATIENCE):
                while True:
                    found: dict[TopicPartition, list[Incoming]] = await self._consumer.getmany(place, timeout_ms=200)
                    if found or await self._consumer.position(place) > position:
                        return found.get(place, [])


@asynccontextmanager
async def open_reader(bootstrap: str) -> AsyncIterator[Reader]:
    """A reader, connected. Raises `Unavailable`, also while it reads, when Kafka does not answer in time."""
    aiokafka_patches.install()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=MAX_FETCH,
        fetch_max_wait_ms=100,
        request_timeout_ms=int(TIMEOUT * 1000),
    )
    try:
        with _asking(bootstrap):
            async with asyncio.timeout(TIMEOUT):
                await consumer.start()
        yield Reader(bootstrap, consumer)
    finally:
        await consumer.stop()


@contextmanager
def _asking(bootstrap: str) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise Unavailable(f"Kafka at {bootstrap} did not answer in time: see what the broker is doing") from None
    except (KafkaError, OSError) as error:
        reason = type(error).__name__
        raise Unavailable(f"can't read from Kafka at {bootstrap} ({reason}): start it or set PIPELINE_KAFKA") from None
