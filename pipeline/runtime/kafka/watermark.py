"""How far consumer groups have come, in time: until when everything that arrived has been worked through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from pipeline.logging import get_logger

log = get_logger(__name__)

POLL: Final = 0.25
"""Seconds between two looks."""
IDLE: Final = 30.0
"""Seconds without a question after which it stops looking."""
STANDING: Final = 300.0
"""Seconds without a commit after which a partition with a backlog counts as standing still."""


class Hop(NamedTuple):
    """A group and the topic that it reads."""

    group: str
    topic: str


class Passing:
    """Until when everything that arrived on one partition has been worked through. No I/O; times are given.

    It follows one end at a time: what is behind it is not asked for before everything up to it is committed.

    Attributes:
        until: everything that arrived before has passed, as the caller writes times down.
    """

    def __init__(self) -> None:
        self.until: Any = None
        self._end = 0
        self._asked: Any = None
        self._committed = -1
        self._moved = float("-inf")

    def look(self, asked: Any, end: int, committed: int, now: float) -> None:
        """It ended at `end` when it was asked at `asked`; the group has committed `committed` by `now`."""
        if self._asked is None:
            self._asked, self._end = asked, end
        if committed != self._committed:
            self._committed, self._moved = committed, now
        if committed >= self._end:
            self.until, self._asked = self._asked, None
            self._moved = now

    def resume(self, now: float) -> None:
        """Nobody looked for a while: what was not committed until now says nothing."""
        self._moved = now

    def stands(self, now: float) -> bool:
        """Whether nothing has been committed for long, though there is something."""
        return now - self._moved > STANDING


class Hearing:
    """Answers until when everything that was on the first hop's topic has passed both hops.

    It looks only while it is asked. While the broker can't be asked, the answer stays what it was.
    """

    def __init__(self, bootstrap: str, hops: tuple[Hop, Hop], partitions: int) -> None:
        self._bootstrap = bootstrap
        self._first, self._second = hops
        self._numbers = range(partitions)
        self._arrivals = [Passing() for _ in self._numbers]
        self._passed = [Passing() for _ in self._numbers]
        self._asked = self._looked = 0.0
        self._looking: asyncio.Task[None] | None = None

    def until(self, first: int, second: int) -> float:
        """Unix seconds; 0 before the first look is over.

        `first` is the first topic's partition on which what is waited for comes as far as anybody knows, `second` that
        of what becomes of it. It may come on another of the first topic's: those count too, unless they stand still.
        """
        self._asked = time.monotonic()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        heard: Sequence[float] | None = self._passed[second].until
        if heard is None:
            return 0.0
        moving = (at for number, at in enumerate(heard) if not self._arrivals[number].stands(self._looked))
        return min((heard[first], *moving))

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking

    async def _look(self) -> None:
        places = [TopicPartition(hop.topic, number) for hop in (self._first, self._second) for number in self._numbers]
        while time.monotonic() - self._asked < IDLE:
            try:
                async with _clients(self._bootstrap, places) as (consumer, admin):
                    for passing in self._arrivals:
                        passing.resume(time.monotonic())
                    while time.monotonic() - self._asked < IDLE:
                        await self._follow(consumer, admin)
                        await asyncio.sleep(POLL)
            except (KafkaError, OSError) as error:
                log.debug("can't see how far the groups are", error=repr(error))
                await asyncio.sleep(1)

    async def _follow(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        """One look, from hop to hop: what is made of a record is on the next topic before its offset is committed."""
        asked, positions = time.time(), await self._positions(self._first, consumer, admin)
        self._looked = time.monotonic()
        for passing, (end, committed) in zip(self._arrivals, positions, strict=True):
            passing.look(asked, end, committed, self._looked)
        heard = [passing.until or 0.0 for passing in self._arrivals]
        for passing, (end, committed) in zip(
            self._passed, await self._positions(self._second, consumer, admin), strict=True
        ):
            passing.look(heard, end, committed, self._looked)

    async def _positions(
        self, hop: Hop, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient
    ) -> list[tuple[int, int]]:
        """Where each partition ends, and up to where the group has committed; of an empty one it has all."""
        places = [TopicPartition(hop.topic, number) for number in self._numbers]
        begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        committed = await admin.list_consumer_group_offsets(hop.group, partitions=places)
        return [(ends[place], _committed(committed, place, begins[place])) for place in places]


def _committed(offsets: Mapping[TopicPartition, Any], place: TopicPartition, begin: int) -> int:
    """What has left the log is behind everybody; who has not committed yet stands at its beginning."""
    return max(offsets[place].offset if place in offsets else begin, begin)


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
