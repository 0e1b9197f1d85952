"""The reaction of an app to gaps: a dead letter, and a record of the topics that its group has started to read."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from pipeline.errors import LogGap, PublishFailed, Unavailable
from pipeline.runtime.faust.gaps import GapPolicy, RemovedRange
from pipeline.runtime.flows.dead_letters import dead_letter
from pipeline.runtime.kafka import installation
from pipeline.runtime.kafka.publisher import BatchPublisher
from pipeline.runtime.kafka.raw_fetch import FetchedRecord
from pipeline.settings import Settings
from pipeline.topics import headers
from pipeline.topics.installation import Installation
from pipeline.topics.records import ConsumedRecord, Record


def gap_dead_letter(gap: RemovedRange, stage: str) -> tuple[Record, ConsumedRecord]:
    """Return the dead letter of a gap, and a record in place of the lost ones: empty, at the first lost offset."""
    span = [(headers.GAP_START, str(gap.start).encode()), (headers.GAP_END, str(gap.end).encode())]
    lost = FetchedRecord(*gap.tp, gap.start, time.time_ns() // 1_000_000, b"", b"", span)
    return dead_letter(lost, stage, LogGap(str(gap)), 0), lost


def gap_policy(
    group: str,
    settings: Settings,
    installation_of: Callable[[], Installation],
    publisher: Callable[[], BatchPublisher],
    stages: Mapping[str, Sequence[str]],
) -> GapPolicy:
    """Return what a group does about positions that are not on the log.

    `stages` holds those of each source topic. A gap becomes a dead letter of the first one. The installation and the
    publisher are known only once the app starts.
    """

    async def publish_dead_letter(gap: RemovedRange) -> None:
        if await publisher().publish([gap_dead_letter(gap, stages[gap.tp.topic][0])]):
            raise PublishFailed(f"the dead letter of a gap was refused: {gap}")

    async def record_start(topic: str) -> None:
        installation_of().started.add((group, topic))
        with suppress(Unavailable):  # the next start tries again
            await installation.record_start(settings.kafka, group, topic)

    def has_started(topic: str) -> bool:
        return (group, topic) in installation_of().started

    return GapPolicy(group, settings.on_gap == "stop", publish_dead_letter, has_started, record_start)
