"""How far consumer groups have come, in time: until when everything that arrived has been worked through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from pipeline.logging import get_logger

log = get_logger(__name__)

POLL = 0.25
"""Seconds between two looks."""
IDLE = 30.0
"""Seconds without a question after which it stops looking."""


class Hop(NamedTuple):
    """A group and the topic that it reads."""

    group: str
    topic: str


class Hearing:
    """Answers until when everything that was on the first hop's topic has passed all hops.

    It looks only while it is asked. While the broker can't be asked, the answer stays what it was.
    """

    def __init__(self, bootstrap: str, hops: Sequence[Hop], partitions: int) -> None:
        self._bootstrap = bootstrap
        self._hops = {hop: [TopicPartition(hop.topic, number) for number in range(partitions)] for hop in hops}
        self._until = 0.0
        self._asked = 0.0
        self._looking: asyncio.Task[None] | None = None

    def until(self) -> float:
        """Unix seconds; 0 before the first look is over."""
        self._asked = time.monotonic()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        return self._until

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking

    async def _look(self) -> None:
        while time.monotonic() - self._asked < IDLE:
            try:
                places = [place for found in self._hops.values() for place in found]
                async with _clients(self._bootstrap, places) as (consumer, admin):
                    while time.monotonic() - self._asked < IDLE:
                        await self._follow(consumer, admin)
            except (KafkaError, OSError) as error:
                log.debug("can't see how far the groups are", error=repr(error))
                await asyncio.sleep(1)

    async def _follow(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        """One moment, from hop to hop: what a hop made of it is on the next topic before its offsets are committed."""
        began = time.time()
        for hop, places in self._hops.items():
            begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
            held = {place: end for place, end in ends.items() if end > begins[place]}
            while True:
                await asyncio.sleep(POLL)
                if _passed(await admin.list_consumer_group_offsets(hop.group, partitions=places), held):
                    break
        self._until = began


@asynccontextmanager
async def _clients(
    bootstrap: str, places: Sequence[TopicPartition]
) -> AsyncIterator[tuple[AIOKafkaConsumer, AIOKafkaAdminClient]]:
    """A consumer that knows the leaders of `places` and fetches nothing, and an admin client."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await consumer.start()
        consumer.assign(places)
        consumer.pause(*places)
        await admin.start()
        yield consumer, admin
    finally:
        await consumer.stop()
        await admin.close()


def _passed(committed: dict[TopicPartition, Any], ends: dict[TopicPartition, int]) -> bool:
    return all(place in committed and committed[place].offset >= end for place, end in ends.items())
