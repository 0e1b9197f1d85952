"""Reads and writes the installation's records about itself (`pipeline.topics.installation`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipeline.errors import UsageError
from pipeline.runtime.kafka import admin, compacted, partition_counts
from pipeline.topics.installation import TOPIC, Installation, partitions_record, started_record


async def read(bootstrap: str) -> Installation:
    """Return all records; empty if there are none or the topic is missing. Raises `Unavailable`."""
    return await read_records(bootstrap) if TOPIC in await admin.describe(bootstrap, [TOPIC]) else Installation()


async def read_records(bootstrap: str) -> Installation:
    """Return all records of an existing topic. If the topic is missing, this request may make the broker create it."""
    found = Installation()
    await compacted.read(bootstrap, TOPIC, lambda record: found.apply(record.key, record.value))
    return found


async def record_start(bootstrap: str, group: str, topic: str) -> None:
    """Record that the group has read the topic. Do nothing if the installation has no topic for its records."""
    if TOPIC in await admin.describe(bootstrap, [TOPIC]):
        await compacted.write(bootstrap, [started_record(group, topic)])


async def create(
    bootstrap: str, topics: Sequence[admin.TopicSpec], partitions: int, replication: int
) -> tuple[list[str], bool]:
    """Create the missing topics and record the partition count; return the new names and True if it was recorded.

    `partitions` is the count of a new installation. Raises `UsageError`, before anything is created, if the recorded
    count differs, or that of keyed topics which are older than the record.
    """
    found = await read(bootstrap)
    keyed = [topic.name for topic in topics if topic.partitions is None]
    counts = {name: each.partitions for name, each in (await admin.describe(bootstrap, keyed)).items()}
    _require_one_count(found, counts, partitions)
    made = await admin.create(bootstrap, topics, partitions, replication)
    await partition_counts.require_topics(bootstrap, keyed, partitions, recorded=found.partitions is not None)
    if found.partitions is not None and found.topics >= set(keyed):
        return made, False
    await compacted.write(bootstrap, [partitions_record(partitions, found.topics.union(keyed))])
    return made, True


def _require_one_count(found: Installation, counts: Mapping[str, int], partitions: int) -> None:
    if found.partitions is not None:
        require_setting(found, partitions)
    elif len(set(counts.values())) > 1:
        names = ", ".join(f"{name} has {count}" for name, count in sorted(counts.items()))
        raise UsageError(
            f"the keyed topics have different partition counts ({names}): delete those that are wrong, once nothing "
            "waits on them, and run `pipeline topics create`"
        )
    elif other := set(counts.values()) - {partitions}:
        raise UsageError(f"the topics have {other.pop()} partitions, not {partitions}: set PIPELINE_PARTITIONS to that")


def require_setting(found: Installation, partitions: int) -> None:
    """Raise `UsageError` if the setting differs from the recorded count."""
    if found.partitions not in (None, partitions):
        raise UsageError(
            f"the installation recorded {found.partitions} partitions when its topics were created, and "
            f"PIPELINE_PARTITIONS is {partitions}: set it to {found.partitions}"
        )


async def count_changes(bootstrap: str, found: Installation, names: Iterable[str]) -> str | None:
    """Return the message for those of `names` with another count than recorded, or None if there are none."""
    topics = await admin.describe(bootstrap, found.topics.intersection(names))
    wrong = [f"{each.name} has {each.partitions}" for each in topics.values() if each.partitions != found.partitions]
    return partition_counts.count_changed(", ".join(sorted(wrong)), found.partitions or 0) if wrong else None
