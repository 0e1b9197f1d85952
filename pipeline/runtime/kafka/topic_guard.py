"""Keeps a worker to topics on which nothing is lost: their partition count, at start and while it runs, and settings.

A key's place follows from the partition count. With another count a worker would read half of the keys, beside their
rows and out of their order, and everything would look well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final, Protocol

from pipeline.errors import PipelineError, Unavailable
from pipeline.logging import get_logger
from pipeline.runtime.kafka import installation
from pipeline.runtime.kafka.admin import describe, require_counts, retentions, unsafe
from pipeline.settings import Settings
from pipeline.topics.installation import TOPIC, Installation

LOOKS: Final = 8
"""How often the partition counts are looked at in the time after which a partition counts as stuck."""

log = get_logger(__name__)


class GuardedApp(Protocol):
    """The part of an app that its topics are checked for."""

    installation: Installation
    retentions: dict[str, float]
    sources: set[str]

    async def crash(self, reason: BaseException) -> None:
        """End the process."""


class PartitionsChanged(PipelineError):
    """Somebody has changed the partition count of a topic under a running worker."""


async def require(settings: Settings, names: Iterable[str]) -> Installation:
    """What the installation recorded. Raises `UsageError` unless each topic is there with the recorded count.

    Topics of which nothing is recorded must have the count of the setting: those of an installation that is older than
    its record, and those of apps outside the catalogue.
    """
    wanted = set(names)
    there = await describe(settings.kafka, wanted | {TOPIC})
    found = await installation.read_records(settings.kafka) if TOPIC in there else Installation()
    recorded = wanted & found.topics
    if recorded:
        installation.require_setting(found, settings.partitions)
    require_counts(there, recorded, settings.partitions, recorded=True)
    require_counts(there, wanted - recorded, settings.partitions, recorded=False)
    if found.partitions is None:
        log.warning(
            "partition_count_not_recorded: run `pipeline topics create`; until then the present count is required",
            partitions=settings.partitions,
        )
        return Installation(settings.partitions, frozenset(wanted), found.started)
    return found


async def watch_partitions(settings: Settings, apps: Sequence[GuardedApp]) -> None:
    """Ends the process when a keyed topic gets another count than was required at the start."""
    while True:
        await asyncio.sleep(settings.stuck_after / LOOKS)
        with suppress(Unavailable):
            found = apps[0].installation
            if line := await installation.changed(settings.kafka, found, found.topics):
                await apps[0].crash(PartitionsChanged(line))
                return


async def learn_retentions(settings: Settings, apps: Iterable[GuardedApp]) -> None:
    """How long the records of each source stay, as far as the broker tells."""
    with suppress(Unavailable):
        for app in apps:
            app.retentions = await retentions(settings.kafka, app.sources)


async def warn_of_unsafe_topics(settings: Settings, names: Iterable[str]) -> None:
    """What a broker's default or a hand has set so that acknowledged records may be lost."""
    with suppress(Unavailable):
        for each in await unsafe(settings.kafka, names, settings.replication):
            log.warning(
                "topic_setting_unsafe: acknowledged records may be lost; correct it with kafka-configs.sh",
                topic=each.topic,
                setting=each.what,
                now=each.actual,
                needed=each.expected,
            )
