"""Fixes where a new consumer group begins, before its first worker starts."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError

from pipeline import aiokafka_patches
from pipeline.errors import Unavailable
from pipeline.runtime.kafka import compacted, installation
from pipeline.runtime.kafka.admin import kafka_errors
from pipeline.runtime.kafka.group_positions import LogBounds, Problem, open_positions
from pipeline.topics.installation import started_record

TIMEOUT: Final = 30.0
"""Timeout for the positions of one group, in seconds: a new cluster makes its coordinator first."""
HAS_MEMBERS: Final = (IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError)
"""Errors of a commit from outside while workers are in the group. Their own commits have fixed where it began."""


async def start_at_end(bootstrap: str, group: str, topics: Collection[str]) -> list[str]:
    """Let a group begin with the records from now on, on those topics that it has never read. Return these.

    The positions are committed, so that nothing is missed that comes before the group's first worker. Raises
    `Unavailable`.
    """
    found = await installation.read(bootstrap)
    new = [topic for topic in topics if (group, topic) not in found.started]
    if new:
        await _commit(bootstrap, group, await _ends(bootstrap, group, new))
        await compacted.write(bootstrap, [started_record(group, topic) for topic in new])
    return new


async def _ends(bootstrap: str, group: str, topics: Collection[str]) -> dict[TopicPartition, int]:
    """Return the ends of the partitions of which the group has no position."""
    async with open_positions(bootstrap, TIMEOUT) as reader:
        committed = await reader.committed(group)
        tps = [tp for topic in topics for tp in reader.partitions(topic)]
        bounds = await reader.bounds(tps)
    if isinstance(committed, Problem):
        raise Unavailable(f"{group}: {committed}: run it again")
    ends = {tp: _end(tp, found) for tp, found in bounds.items()}
    return {tp: end for tp, end in ends.items() if tp not in committed}


def _end(tp: TopicPartition, found: LogBounds | Problem) -> int:
    if isinstance(found, Problem):
        raise Unavailable(f"{tp.topic}/{tp.partition}: {found}: run it again")
    return found.end


async def _commit(bootstrap: str, group: str, positions: Mapping[TopicPartition, int]) -> None:
    aiokafka_patches.install()
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    try:
        with kafka_errors(bootstrap):
            async with asyncio.timeout(TIMEOUT):
                await consumer.start()
                consumer.assign(list(positions))
                with suppress(*HAS_MEMBERS):
                    await consumer.commit(dict(positions))
    finally:
        await consumer.stop()
