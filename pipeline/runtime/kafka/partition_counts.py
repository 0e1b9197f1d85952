"""Checks that topics exist with the partition count that the installation has.

A key's partition follows from the count. Faust calls a worker ready without its topics, and a table with another count
than its source reads the wrong rows, so both are checked before a record is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.errors import UsageError
from pipeline.runtime.kafka.admin import TopicDescription, describe


async def require_topics(bootstrap: str, names: Iterable[str], partitions: int, *, recorded: bool = False) -> None:
    """Raise `UsageError` unless every topic exists with `partitions` partitions.

    `recorded`: the count is the installation's record, not only the setting.
    """
    wanted = set(names)
    require_counts(await describe(bootstrap, wanted), wanted, partitions, recorded=recorded)


def require_counts(
    existing: Mapping[str, TopicDescription], wanted: Iterable[str], partitions: int, *, recorded: bool
) -> None:
    """Raise `UsageError` unless every wanted topic is in `existing` with `partitions` partitions."""
    found = {name: existing.get(name) for name in sorted(wanted)}
    missing = [name for name, each in found.items() if each is None]
    if missing:
        raise UsageError(f"Kafka has no topic {', '.join(missing)}: run `pipeline topics create`")
    wrong = [f"{each.name} has {each.partitions}" for each in found.values() if each and each.partitions != partitions]
    if wrong and recorded:
        raise UsageError(count_changed(", ".join(wrong), partitions))
    if wrong:
        raise UsageError(
            f"{', '.join(wrong)} partitions, not {partitions}: set PIPELINE_PARTITIONS to what the topics "
            "have, or delete them and run `pipeline topics create`"
        )


def count_changed(actual: str, partitions: int) -> str:
    """Return the message for topics with another count than recorded; `actual`: `webhooks.raw has 9`."""
    return (
        f"{actual} partitions, the installation recorded {partitions}: where nothing waits on it, delete it and run "
        "`pipeline topics create`; else see docs/operations.md (topics and their partitions)"
    )
