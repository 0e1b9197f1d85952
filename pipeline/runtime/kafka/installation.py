"""Reads and writes what the installation recorded about itself (`pipeline.topics.installation`)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline.errors import Unavailable, UsageError
from pipeline.runtime.kafka import admin
from pipeline.runtime.kafka.idempotent_producer import SequencedProducer
from pipeline.topics.installation import TOPIC, Installation, partitions_record, started_record
from pipeline.topics.records import Record

TIMEOUT: Final = 10.0
"""Seconds in which a broker that is there gives or takes a few records."""
_PLACE: Final = TopicPartition(TOPIC, 0)


async def read(bootstrap: str) -> Installation:
    """All that was recorded; empty where nothing was, or where the topic is missing. Raises `Unavailable`."""
    return await read_records(bootstrap) if TOPIC in await admin.describe(bootstrap, [TOPIC]) else Installation()


async def read_records(bootstrap: str) -> Installation:
    """The same where the topic is known to be there. A broker may create one that is asked for and missing."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    try:
        async with asyncio.timeout(TIMEOUT):
            await consumer.start()
            return await _read(consumer)
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(admin.unreachable(bootstrap, error)) from None
    finally:
        await consumer.stop()


async def _read(consumer: Any) -> Installation:
    found = Installation()
    consumer.assign([_PLACE])
    end = (await consumer.end_offsets([_PLACE]))[_PLACE]
    await consumer.seek_to_beginning(_PLACE)
    while await consumer.position(_PLACE) < end:
        for record in (await consumer.getmany(_PLACE, timeout_ms=200)).get(_PLACE, ()):
            found.apply(record.key, record.value)
    return found


async def write(bootstrap: str, records: Sequence[Record]) -> None:
    """Returns when they are acknowledged by all in-sync replicas. Raises `Unavailable`."""
    producer = SequencedProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    try:
        async with asyncio.timeout(TIMEOUT):
            await producer.start()
            for record in records:
                await producer.send_and_wait(record.topic, record.value, record.key, partition=0)
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(admin.unreachable(bootstrap, error)) from None
    finally:
        await producer.stop()


async def remember(bootstrap: str, group: str, topic: str) -> None:
    """That the group has read the topic; nothing where the installation has no topic for its records."""
    if TOPIC in await admin.describe(bootstrap, [TOPIC]):
        await write(bootstrap, [started_record(group, topic)])


async def create(
    bootstrap: str, topics: Sequence[admin.TopicSpec], partitions: int, replication: int
) -> tuple[list[str], bool]:
    """Creates what is missing and records the partition count; gives the new names, and whether it recorded anything.

    `partitions` is for an installation that has none yet. Raises `UsageError`, before it creates anything, where the
    recorded count, or that of keyed topics which were there before it was recorded, is another one.
    """
    found = await read(bootstrap)
    keyed = [topic.name for topic in topics if topic.partitions is None]
    there = {name: each.partitions for name, each in (await admin.describe(bootstrap, keyed)).items()}
    _require_one_count(found, there, partitions)
    made = await admin.create(bootstrap, topics, partitions, replication)
    await admin.require_topics(bootstrap, keyed, partitions, recorded=found.partitions is not None)
    if found.partitions is not None and found.topics >= set(keyed):
        return made, False
    await write(bootstrap, [partitions_record(partitions, found.topics.union(keyed))])
    return made, True


def _require_one_count(found: Installation, there: Mapping[str, int], partitions: int) -> None:
    if found.partitions is not None:
        require_setting(found, partitions)
    elif len(counts := set(there.values())) > 1:
        names = ", ".join(f"{name} has {count}" for name, count in sorted(there.items()))
        raise UsageError(
            f"the keyed topics have different partition counts ({names}): delete those that are wrong, once nothing "
            "waits on them, and run `pipeline topics create`"
        )
    elif counts - {partitions}:
        raise UsageError(
            f"the topics have {counts.pop()} partitions, not {partitions}: set PIPELINE_PARTITIONS to that"
        )


def require_setting(found: Installation, partitions: int) -> None:
    """Raises `UsageError` where the setting differs from what was recorded."""
    if found.partitions not in (None, partitions):
        raise UsageError(
            f"the installation recorded {found.partitions} partitions when its topics were created, and "
            f"PIPELINE_PARTITIONS is {partitions}: set it to {found.partitions}"
        )


async def changed(bootstrap: str, found: Installation, names: Iterable[str]) -> str | None:
    """One line about those of `names` that have another count than was recorded; None while all is well."""
    there = await admin.describe(bootstrap, found.topics.intersection(names))
    wrong = [f"{each.name} has {each.partitions}" for each in there.values() if each.partitions != found.partitions]
    return admin.changed(", ".join(sorted(wrong)), found.partitions or 0) if wrong else None
