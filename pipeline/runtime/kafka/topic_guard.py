"""Keeps a worker to topics on which nothing is lost: partition counts, at the start and while it runs, and settings.

A key's partition follows from the partition count. With another count a worker would read half of the keys apart from
their rows and out of order, and nothing would show it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final, Protocol

from pipeline.errors import PartitionsChanged, Unavailable
from pipeline.logging import get_logger
from pipeline.runtime.kafka import installation
from pipeline.runtime.kafka.admin import describe, retentions, unsafe_settings
from pipeline.runtime.kafka.partition_counts import require_counts
from pipeline.runtime.kafka.retention import warn_of_short_retentions
from pipeline.settings import Settings
from pipeline.topics.installation import TOPIC, Installation

CHECKS_PER_TIMEOUT: Final = 8
"""Checks of the partition counts within the time after which a partition counts as stuck."""

log = get_logger(__name__)


class GuardedApp(Protocol):
    """The part of an app that its topics are checked for."""

    installation: Installation
    retentions: dict[str, float]
    required_retentions: dict[str, float]
    sources: set[str]

    async def crash(self, reason: BaseException) -> None:
        """End the process."""


async def require_installation(settings: Settings, names: Iterable[str]) -> Installation:
    """Return the installation's records. Raises `UsageError` unless each topic exists with the recorded count.

    Topics without a record must have the count of the setting: those of an installation older than its record, and
    those of apps outside the catalogue.
    """
    wanted = set(names)
    existing = await describe(settings.kafka, wanted | {TOPIC})
    found = await installation.read_records(settings.kafka) if TOPIC in existing else Installation()
    recorded = wanted & found.topics
    if recorded:
        installation.require_setting(found, settings.partitions)
    require_counts(existing, recorded, settings.partitions, recorded=True)
    require_counts(existing, wanted - recorded, settings.partitions, recorded=False)
    if found.partitions is None:
        log.warning(
            "partition_count_not_recorded",
            detail="run `pipeline topics create`; until then the present count is required",
            partitions=settings.partitions,
        )
        return Installation(settings.partitions, frozenset(wanted), found.started)
    return found


async def watch_partition_counts(settings: Settings, apps: Sequence[GuardedApp]) -> None:
    """Crash the process when a keyed topic gets another partition count than it had at the start."""
    while True:
        await asyncio.sleep(settings.stuck_after / CHECKS_PER_TIMEOUT)
        with suppress(Unavailable):
            found = apps[0].installation
            if changes := await installation.count_changes(settings.kafka, found, found.topics):
                await apps[0].crash(PartitionsChanged(changes))
                return


async def load_retentions(settings: Settings, apps: Iterable[GuardedApp]) -> None:
    """Load the retention of each app's source topics, as far as the broker allows it. Warn of those too short."""
    with suppress(Unavailable):
        for app in apps:
            app.retentions = await retentions(settings.kafka, app.sources)
            warn_of_short_retentions(app.retentions, app.required_retentions)


async def warn_of_unsafe_topics(settings: Settings, names: Iterable[str]) -> None:
    """Warn of topic settings, by default or by hand, with which acknowledged records may be lost."""
    with suppress(Unavailable):
        for each in await unsafe_settings(settings.kafka, names, settings.replication):
            log.warning(
                "topic_setting_unsafe",
                detail="acknowledged records may be lost; correct it with kafka-configs.sh",
                topic=each.topic,
                setting=each.what,
                now=each.actual,
                needed=each.expected,
            )
