"""Gaps as an app reports them: the dead letter, and what the installation remembers of its groups."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pipeline.errors import LogGap, PublishFailed, Unavailable
from pipeline.runtime.flows.dead_letters import dead_letter
from pipeline.runtime.kafka import installation
from pipeline.runtime.kafka.gaps import GapPolicy, RemovedRange
from pipeline.runtime.kafka.raw_fetch import FetchedRecord
from pipeline.topics import headers
from pipeline.topics.records import Incoming, Record

if TYPE_CHECKING:
    from pipeline.runtime.faust.app import PipelineApp


def gap_letter(gap: RemovedRange, stage: str) -> tuple[Record, Incoming]:
    """The dead letter of a gap, and the record that it stands for: without key and bytes, at the first lost offset."""
    span = [(headers.GAP_START, str(gap.start).encode()), (headers.GAP_END, str(gap.end).encode())]
    lost = FetchedRecord(*gap.tp, gap.start, time.time_ns() // 1_000_000, b"", b"", span)
    return dead_letter(lost, stage, LogGap(str(gap)), 0), lost


def report(app: PipelineApp) -> GapPolicy:
    """What `app` does about positions that are not on the log."""
    group = app.conf.id

    async def bury(gap: RemovedRange) -> None:
        if await app.publisher.publish([gap_letter(gap, app.entries[gap.tp.topic])]):
            raise PublishFailed(f"the dead letter of a gap was refused: {gap}")

    async def remember(topic: str) -> None:
        app.installation.started.add((group, topic))
        with suppress(Unavailable):  # the next start tries again
            await installation.record_start(app.pipeline.kafka, group, topic)

    def started(topic: str) -> bool:
        return (group, topic) in app.installation.started

    return GapPolicy(group, app.pipeline.on_gap == "stop", bury, started, remember)
