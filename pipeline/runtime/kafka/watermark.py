"""Measures how far consumer groups have come, as a time: all records that arrived before it are processed."""

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

from pipeline import aiokafka_patches
from pipeline.logging import get_logger

log = get_logger(__name__)

POLL_INTERVAL: Final = 0.25
"""Time between two polls of the groups' positions, in seconds."""
IDLE_TIMEOUT: Final = 30.0
"""Time without a request after which polling stops, in seconds."""
STALLED_TIMEOUT: Final = 300.0
"""Time without a commit after which a lagging partition counts as stalled, in seconds."""


class GroupTopic(NamedTuple):
    """A consumer group and the topic that it reads."""

    group: str
    topic: str


class PartitionWatermark:
    """The watermark of one partition: the time before which all arrived records are processed. No I/O, no clock.

    It follows one end offset at a time. The next one is taken once everything before the current one is committed.

    Attributes:
        value: all records that arrived before this time are processed; of the type that the caller passes in.
    """

    def __init__(self) -> None:
        self.value: Any = None
        self._end = 0
        self._end_seen_at: Any = None
        self._committed = -1
        self._moved = float("-inf")

    def observe(self, asked_at: Any, end: int, committed: int, now: float) -> None:
        """Record that the log ended at `end` at time `asked_at`, and that `committed` was committed by `now`."""
        if self._end_seen_at is None:
            self._end_seen_at, self._end = asked_at, end
        if committed != self._committed:
            self._committed, self._moved = committed, now
        if committed >= self._end:
            self.value, self._end_seen_at = self._end_seen_at, None
            self._moved = now

    def resume(self, now: float) -> None:
        """Restart the stall timeout, because the partition was not observed for a while."""
        self._moved = now

    def is_stalled(self, now: float) -> bool:
        """Return True if nothing was committed for `STALLED_TIMEOUT` although there are records."""
        return now - self._moved > STALLED_TIMEOUT


class PipelineWatermark:
    """The watermark of two groups in a row: records of the first topic have passed both groups.

    The groups are polled only while the value is requested. While the broker does not answer, the value stays.
    """

    def __init__(self, bootstrap: str, path: tuple[GroupTopic, GroupTopic], partitions: int) -> None:
        self._bootstrap = bootstrap
        self._first, self._second = path
        self._numbers = range(partitions)
        self._first_watermarks = [PartitionWatermark() for _ in self._numbers]
        self._second_watermarks = [PartitionWatermark() for _ in self._numbers]
        self._requested_at = self._polled_at = 0.0
        self._polling: asyncio.Task[None] | None = None

    def value(self, first: int, second: int) -> float:
        """Return the watermark in unix seconds; 0 before the first poll is complete.

        `first` is the partition of the first topic on which the awaited record is expected, `second` the partition of
        what is made of it. The record may come on another partition of the first topic: those count as well, unless
        they are stalled.
        """
        self._requested_at = time.monotonic()
        if self._polling is None or self._polling.done():
            self._polling = asyncio.get_running_loop().create_task(self._poll())
        by_first: Sequence[float] | None = self._second_watermarks[second].value
        if by_first is None:
            return 0.0
        moving = (
            at for number, at in enumerate(by_first) if not self._first_watermarks[number].is_stalled(self._polled_at)
        )
        return min((by_first[first], *moving))

    async def close(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
            with suppress(asyncio.CancelledError):
                await self._polling

    async def _poll(self) -> None:
        tps = [TopicPartition(each.topic, number) for each in (self._first, self._second) for number in self._numbers]
        while time.monotonic() - self._requested_at < IDLE_TIMEOUT:
            try:
                async with _clients(self._bootstrap, tps) as (consumer, admin):
                    for watermark in self._first_watermarks:
                        watermark.resume(time.monotonic())
                    while time.monotonic() - self._requested_at < IDLE_TIMEOUT:
                        await self._poll_once(consumer, admin)
                        await asyncio.sleep(POLL_INTERVAL)
            except (KafkaError, OSError) as error:
                log.debug("watermark_unavailable", detail="the groups' positions can't be read", error=repr(error))
                await asyncio.sleep(1)

    async def _poll_once(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        """Poll the first group, then the second.

        The order matters: what is made of a record is on the second topic before the record's offset is committed.
        """
        asked_at, positions = time.time(), await self._positions(self._first, consumer, admin)
        self._polled_at = time.monotonic()
        for watermark, (end, committed) in zip(self._first_watermarks, positions, strict=True):
            watermark.observe(asked_at, end, committed, self._polled_at)
        by_first = [watermark.value or 0.0 for watermark in self._first_watermarks]
        for watermark, (end, committed) in zip(
            self._second_watermarks, await self._positions(self._second, consumer, admin), strict=True
        ):
            watermark.observe(by_first, end, committed, self._polled_at)

    async def _positions(
        self, group_topic: GroupTopic, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient
    ) -> list[tuple[int, int]]:
        """Return the end offset and the committed offset of each partition."""
        tps = [TopicPartition(group_topic.topic, number) for number in self._numbers]
        starts, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        committed = await admin.list_consumer_group_offsets(group_topic.group, partitions=tps)
        return [(ends[tp], _committed(committed, tp, starts[tp])) for tp in tps]


def _committed(offsets: Mapping[TopicPartition, Any], tp: TopicPartition, start: int) -> int:
    """Return the committed offset, at least the log's start: removed records are behind every group."""
    return max(offsets[tp].offset if tp in offsets else start, start)


@asynccontextmanager
async def _clients(
    bootstrap: str, tps: Sequence[TopicPartition]
) -> AsyncIterator[tuple[AIOKafkaConsumer, AIOKafkaAdminClient]]:
    """Connect an admin client, and a consumer that knows the leaders of `tps` and fetches nothing."""
    aiokafka_patches.install()
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await consumer.start()
        consumer.assign(tps)
        consumer.pause(*tps)
        await admin.start()
        yield consumer, admin
    finally:
        await consumer.stop()
        await admin.close()
