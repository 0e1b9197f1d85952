"""Positions that are not on the log: records were removed before they were processed, or nobody knows where to begin.

aiokafka would move on by itself and say nothing. Here it is told not to (`consumer_auto_offset_reset` is `none`), and
says that a position is not on the log instead. Its partition is not fetched until that is settled:

- *A gap*: the log begins past the position, as when retention, or somebody, removed what was not processed. It is an
  ERROR, a metric and a dead letter without bytes, which is acknowledged before the position moves to the log's start.
  With `PIPELINE_ON_GAP=stop` it waits for a person instead, and readiness says so.
- *A log that was cut short*: it ends before the position, as when the topic was made anew. Read from its start: what
  is read twice is known by its ids.
- *No position*: a group's first start, or committed offsets that have expired. Read from the log's start, and at once
  committed as such, so that what is removed later is a gap.

Offsets inside the log that hold no record (compaction, markers of transactions) are none of these: the broker passes
over them. Changelogs are read from where they begin, as tables are recovered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.types import TP

from pipeline.errors import LogTruncated
from pipeline.logging import get_logger
from pipeline.metrics import GAP_RECORDS

if TYPE_CHECKING:
    from pipeline.runtime.faust.consumer import Consumer

OFF_THE_LOG: Final = (OffsetOutOfRangeError, NoOffsetForPartitionError)
"""The client's words for a position that is not on the log."""
RETRY_SECONDS: Final = 1.0
"""Between two questions to a broker that does not answer."""

log = get_logger(__name__)


class Gap(NamedTuple):
    """The offsets from `start` to before `end` of a partition, removed before they were processed."""

    tp: TP
    start: int
    end: int

    @property
    def records(self) -> int:
        """How many records it had, at most: compaction may have taken some before."""
        return self.end - self.start

    def __str__(self) -> str:
        topic, partition = self.tp
        return f"offsets {self.start} to {self.end - 1} of {topic}/{partition} were removed before they were processed"


class Report(NamedTuple):
    """What an app does about positions that are not on the log.

    Attributes:
        group: the app's name.
        stop: whether a gap waits for a person.
        bury: publishes a gap's dead letter; returns when it is acknowledged.
        started: whether the group has read a topic before.
        remember: keeps that it has.
    """

    group: str
    stop: bool
    bury: Callable[[Gap], Awaitable[None]]
    started: Callable[[str], bool]
    remember: Callable[[str], Awaitable[None]]


class Gaps:
    """The partitions of one consumer whose positions are not on the log.

    Attributes:
        unsettled: those that are not fetched meanwhile.
        stopped: those that wait for a person.
        passed: where records in hand end and where the gap behind them does, by partition.
    """

    def __init__(self, consumer: Consumer) -> None:
        self.report: Report | None = None
        self.unsettled: set[TP] = set()
        self.stopped: dict[TP, Gap] = {}
        self.passed: dict[TP, tuple[int, int]] = {}
        self._consumer = consumer

    def clear(self) -> None:
        """Positions are set anew."""
        self.unsettled.clear()
        self.stopped.clear()
        self.passed.clear()

    def past(self, tp: TP, position: int) -> int:
        """Behind the gap that follows, if everything before that one is finished."""
        read, end = self.passed.get(tp, (0, 0))
        return max(position, end) if position >= read else position

    # Without a position

    async def begin(self) -> None:
        """Positions were just set: those partitions that have none begin where their logs do."""
        tps = {TP(*tp) for tp in self._consumer.assignment() if not self._consumer._is_changelog_tp(tp)}
        fresh = {tp for tp in tps if self._consumer._read_offset[tp] is None}
        await self._begin(fresh)
        self._remember({tp for tp in tps - fresh if tp.topic in self._consumer.backlogs})

    async def _begin(self, tps: Collection[TP]) -> None:
        consumer, epoch = self._consumer, self._consumer.epoch
        if not tps:
            return
        starts = {TP(*tp): offset or 0 for tp, offset in (await consumer.earliest_offsets(*tps)).items()}
        await consumer.seek_wait(starts)
        ours = {tp: start for tp, start in starts.items() if tp.topic in consumer.backlogs}
        for tp, start in ours.items():
            consumer.done(tp, start, epoch)
        for topic in {tp.topic for tp in ours}:
            self._tell_start(topic, {tp: start for tp, start in ours.items() if tp.topic == topic})

    def _tell_start(self, topic: str, starts: Mapping[TP, int]) -> None:
        about = {"topic": topic, "partitions": sorted(tp.partition for tp in starts), "start": min(starts.values())}
        if self.report is not None and self.report.started(topic):
            log.error(
                "committed_offsets_expired: reads again from the earliest record that is left; what was done before is "
                "known by its ids",
                group=self.report.group,
                **about,
            )
        elif self.report is not None:
            log.info("group_starts: it has not read this topic before", group=self.report.group, **about)
            self._consumer.add_future(self._remember_later(starts, self._consumer.epoch))

    async def _remember_later(self, tps: Collection[TP], epoch: int) -> None:
        """When the start is committed. A crash in between would look like offsets that have expired."""
        consumer = self._consumer
        while consumer.epoch == epoch:
            if all(consumer._committed_offset[tp] is not None for tp in tps):
                self._remember(tps)
                return
            await asyncio.sleep(RETRY_SECONDS)

    def _remember(self, tps: Collection[TP]) -> None:
        report = self.report
        for topic in {tp.topic for tp in tps}:
            if report is not None and not report.started(topic):
                self._consumer.add_future(report.remember(topic))

    # Off the log

    def found(self, error: KafkaError) -> None:
        """The client says that positions are not on the log."""
        for tp, position in _places(error):
            if tp not in self.unsettled:
                self.unsettled.add(tp)
                self._consumer.add_future(self._settle(tp, position, self._consumer.epoch))

    async def _settle(self, tp: TP, position: int | None, epoch: int) -> None:
        start, end = await self._bounds(tp)
        if self._consumer.epoch != epoch:  # whoever set positions anew will hear of it again
            return
        if self._consumer._is_changelog_tp(tp):
            await self._go_on(tp, start)
        elif position is None:
            await self._begin([tp])
            self.unsettled.discard(tp)
        elif position > end:
            await self._restart(tp, position, start, end)
        elif position < start:
            await self._pass(Gap(tp, position, start), epoch)
        else:
            await self._go_on(tp, position)

    async def _bounds(self, tp: TP) -> tuple[int, int]:
        """Where the log begins and ends, however often that must be asked."""
        while True:
            try:
                starts, ends = await self._consumer.earliest_offsets(tp), await self._consumer.highwaters(tp)
                return starts[tp] or 0, ends[tp] or 0
            except (KafkaError, TimeoutError):
                await asyncio.sleep(RETRY_SECONDS)

    async def _pass(self, gap: Gap, epoch: int) -> None:
        consumer, report = self._consumer, self.report
        self._tell(gap)
        if report is not None and gap.tp.topic in consumer.backlogs:
            if report.stop:
                self.stopped[gap.tp] = gap
                return
            await report.bury(gap)
            if consumer.epoch != epoch:
                return
        read = consumer._read_offset[gap.tp] or 0
        await self._go_on(gap.tp, gap.end)
        if gap.tp.topic in consumer.backlogs and consumer.epoch == epoch:
            self.passed[gap.tp] = (read, gap.end)
            consumer.done(gap.tp, consumer.finished(gap.tp), epoch)

    def _tell(self, gap: Gap) -> None:
        report = self.report
        group, stop = (report.group, report.stop) if report else ("", False)
        GAP_RECORDS.labels(group, gap.tp.topic).inc(gap.records)
        log.error(
            "log_gap: records were removed before they were processed; "
            + ("waits for you: restart with PIPELINE_ON_GAP=continue" if stop else "goes on at the log's start"),
            group=group,
            topic=gap.tp.topic,
            partition=gap.tp.partition,
            first=gap.start,
            last=gap.end - 1,
        )

    async def _restart(self, tp: TP, position: int, start: int, end: int) -> None:
        """The log was cut short. What is in hand may not be on it any more: then only a new process can begin anew."""
        consumer = self._consumer
        line = (
            f"{tp.topic}/{tp.partition} ends at {end}, before the position {position}: it was made anew, or cut short"
        )
        if consumer.in_hand(tp):
            await consumer.app.crash(LogTruncated(line))
            return
        log.error("log_truncated: reads again from its start", topic=tp.topic, partition=tp.partition, error=line)
        consumer._committed_offset[tp] = None
        consumer._done.pop(tp, None)
        consumer.quarantine.restart(tp, start)
        await self._go_on(tp, start)

    async def _go_on(self, tp: TP, offset: int) -> None:
        await self._consumer.seek_wait({tp: offset})
        self.unsettled.discard(tp)


def _places(error: KafkaError) -> Iterable[tuple[TP, int | None]]:
    """The partitions that an error is about, each with the position that is not on the log, if it has one."""
    about: Any = error.args[0]
    if isinstance(error, OffsetOutOfRangeError):
        return [(TP(*tp), position) for tp, position in about.items()]
    return [(TP(*about), None)]
