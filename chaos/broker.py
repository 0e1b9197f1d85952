"""The state of the broker after a run: the positions of the groups, and the records of a topic."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import ConsumerRecord

from pipeline import aiokafka_patches
from pipeline.topics import catalogue as topics

DEAD_LETTERS: Final = tuple(topics.dead_letters(stage).name for stage in topics.STAGES)


async def lag(bootstrap: str, groups: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Record that are not finished, by group: an offset is let go only when its record's effects are safe.

    `groups` says which topics each group reads.
    """
    ends = await _ends(bootstrap, [name for names in groups.values() for name in names])
    aiokafka_patches.install()
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        return {group: await _group_lag(ends, admin, group, names) for group, names in groups.items()}
    finally:
        await admin.close()


async def records(bootstrap: str, names: Sequence[str]) -> list[ConsumerRecord]:
    """Return everything on these topics, partition by partition."""
    return [record async for some in batches(bootstrap, names) for record in some]


async def batches(bootstrap: str, names: Sequence[str]) -> AsyncIterator[Sequence[ConsumerRecord]]:
    """Yield everything on these topics, some at a time."""
    async with _reading(bootstrap, names) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for some in (await consumer.getmany(timeout_ms=200)).values():
                yield some


async def _ends(bootstrap: str, names: Sequence[str]) -> dict[TopicPartition, int]:
    async with _reading(bootstrap, names) as consumer:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(consumer.assignment())
        return ends


async def _group_lag(
    ends: Mapping[TopicPartition, int], admin: AIOKafkaAdminClient, group: str, names: Sequence[str]
) -> int:
    committed = await admin.list_consumer_group_offsets(group)
    done = {tp: position.offset for tp, position in committed.items()}
    return sum(end - max(0, done.get(tp, 0)) for tp, end in ends.items() if tp.topic in names)


@asynccontextmanager
async def _reading(bootstrap: str, names: Sequence[str]) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of all partitions, of no group."""
    aiokafka_patches.install()
    consumer = AIOKafkaConsumer(*names, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
