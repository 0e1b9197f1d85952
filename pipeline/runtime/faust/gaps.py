"""Handles positions that are not on the log: removed before they were processed, or unknown.

aiokafka would silently reset such a position. Here `consumer_auto_offset_reset` is `none`, so it raises an error
instead, and the partition is not fetched until the case is resolved:

- *A gap*: the log starts after the position, because retention or a person removed unprocessed records. It is logged
  as an error, counted, and becomes a dead letter without bytes. Once that is acknowledged, the position moves to the
  log's start. With `PIPELINE_ON_GAP=stop` the partition waits for a person instead, and readiness shows it.
- *A truncated log*: it ends before the position, for example because the topic was recreated. It is read from its
  start. Records that are read twice are recognised by their ids.
- *No position*: a group's first start, or expired offsets. The partition is read from the log's start, and that
  position is committed at once, so that records which are removed later count as a gap.

Offsets inside the log without a record (compaction, transaction markers) are none of these: the broker skips them.
Changelogs are read from where they start, as in a table's recovery.
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

OFF_LOG_ERRORS: Final = (OffsetOutOfRangeError, NoOffsetForPartitionError)
"""Errors of the client for a position that is not on the log."""
RETRY_INTERVAL: Final = 1.0
"""Time between two requests to a broker that does not answer, in seconds."""

log = get_logger(__name__)


class RemovedRange(NamedTuple):
    """The offsets from `start` to before `end` of a partition, removed before they were processed."""

    tp: TP
    start: int
    end: int

    @property
    def records(self) -> int:
        """The largest possible number of records. Compaction may have removed some before."""
        return self.end - self.start

    def __str__(self) -> str:
        topic, partition = self.tp
        return f"offsets {self.start} to {self.end - 1} of {topic}/{partition} were removed before they were processed"


class GapPolicy(NamedTuple):
    """An app's reaction to positions that are not on the log.

    Attributes:
        group: name of the app.
        stop: True if a gap waits for a person.
        publish_dead_letter: publishes a gap's dead letter; returns once it is acknowledged.
        has_started: returns True if the group has read the topic before.
        record_start: records that the group has read the topic.
    """

    group: str
    stop: bool
    publish_dead_letter: Callable[[RemovedRange], Awaitable[None]]
    has_started: Callable[[str], bool]
    record_start: Callable[[str], Awaitable[None]]


class OffLogPositions:
    """The partitions of one consumer whose positions are not on the log.

    Attributes:
        policy: set by the app; None: gaps are skipped without a dead letter.
        unresolved: partitions that are not fetched until their case is resolved.
        awaiting_operator: gaps that wait for a person.
        skipped: by partition, the end of the fetched records and the end of the gap after them.
    """

    def __init__(self, consumer: Consumer) -> None:
        self.policy: GapPolicy | None = None
        self.unresolved: set[TP] = set()
        self.awaiting_operator: dict[TP, RemovedRange] = {}
        self.skipped: dict[TP, tuple[int, int]] = {}
        self._consumer = consumer

    def clear(self) -> None:
        """Forget all cases, because all positions are reset."""
        self.unresolved.clear()
        self.awaiting_operator.clear()
        self.skipped.clear()

    def skip_gap(self, tp: TP, position: int) -> int:
        """Return the end of the gap after `position` if all records before that gap are processed."""
        read, end = self.skipped.get(tp, (0, 0))
        return max(position, end) if position >= read else position

    # Partitions without a position

    async def start_new_partitions(self) -> None:
        """Start partitions without a position at their log's start. Called after positions were set."""
        tps = {TP(*tp) for tp in self._consumer.assignment() if not self._consumer._is_changelog_tp(tp)}
        new = {tp for tp in tps if self._consumer._read_offset[tp] is None}
        await self._start_at_log_start(new)
        self._record_start({tp for tp in tps - new if tp.topic in self._consumer.buffers})

    async def _start_at_log_start(self, tps: Collection[TP]) -> None:
        consumer, epoch = self._consumer, self._consumer.epoch
        if not tps:
            return
        starts = {TP(*tp): offset or 0 for tp, offset in (await consumer.earliest_offsets(*tps)).items()}
        await consumer.seek_wait(starts)
        of_flows = {tp: start for tp, start in starts.items() if tp.topic in consumer.buffers}
        for tp, start in of_flows.items():
            consumer.mark_processed(tp, start, epoch)
        for topic in {tp.topic for tp in of_flows}:
            self._log_start(topic, {tp: start for tp, start in of_flows.items() if tp.topic == topic})

    def _log_start(self, topic: str, starts: Mapping[TP, int]) -> None:
        fields = {"topic": topic, "partitions": sorted(tp.partition for tp in starts), "start": min(starts.values())}
        if self.policy is not None and self.policy.has_started(topic):
            log.error(
                "committed_offsets_expired",
                detail="reading again from the earliest record; what was done before is known by its ids",
                group=self.policy.group,
                **fields,
            )
        elif self.policy is not None:
            log.info("group_started", detail="it has not read this topic before", group=self.policy.group, **fields)
            self._consumer.add_future(self._record_start_when_committed(starts, self._consumer.epoch))

    async def _record_start_when_committed(self, tps: Collection[TP], epoch: int) -> None:
        """Record the start only once it is committed: else a crash in between would look like expired offsets."""
        consumer = self._consumer
        while consumer.epoch == epoch:
            if all(consumer._committed_offset[tp] is not None for tp in tps):
                self._record_start(tps)
                return
            await asyncio.sleep(RETRY_INTERVAL)

    def _record_start(self, tps: Collection[TP]) -> None:
        policy = self.policy
        for topic in {tp.topic for tp in tps}:
            if policy is not None and not policy.has_started(topic):
                self._consumer.add_future(policy.record_start(topic))

    # Partitions whose position is not on the log

    def handle(self, error: KafkaError) -> None:
        """Start to resolve the partitions of an error of the client."""
        for tp, position in _off_log(error):
            if tp not in self.unresolved:
                self.unresolved.add(tp)
                self._consumer.add_future(self._resolve(tp, position, self._consumer.epoch))

    async def _resolve(self, tp: TP, position: int | None, epoch: int) -> None:
        start, end = await self._log_bounds(tp)
        if self._consumer.epoch != epoch:  # the new position raises an error of its own, if it is not on the log
            return
        if self._consumer._is_changelog_tp(tp):
            await self._resume(tp, start)
        elif position is None:
            await self._start_at_log_start([tp])
            self.unresolved.discard(tp)
        elif position > end:
            await self._restart_truncated(tp, position, start, end)
        elif position < start:
            await self._skip(RemovedRange(tp, position, start), epoch)
        else:
            await self._resume(tp, position)

    async def _log_bounds(self, tp: TP) -> tuple[int, int]:
        """Return the start and the end of the log. Retries without limit."""
        while True:
            try:
                starts, ends = await self._consumer.earliest_offsets(tp), await self._consumer.highwaters(tp)
                return starts[tp] or 0, ends[tp] or 0
            except (KafkaError, TimeoutError):
                await asyncio.sleep(RETRY_INTERVAL)

    async def _skip(self, gap: RemovedRange, epoch: int) -> None:
        consumer, policy = self._consumer, self.policy
        self._log_gap(gap)
        if policy is not None and gap.tp.topic in consumer.buffers:
            if policy.stop:
                self.awaiting_operator[gap.tp] = gap
                return
            await policy.publish_dead_letter(gap)
            if consumer.epoch != epoch:
                return
        read = consumer._read_offset[gap.tp] or 0
        await self._resume(gap.tp, gap.end)
        if gap.tp.topic in consumer.buffers and consumer.epoch == epoch:
            self.skipped[gap.tp] = (read, gap.end)
            consumer.mark_processed(gap.tp, consumer.processed_position(gap.tp), epoch)

    def _log_gap(self, gap: RemovedRange) -> None:
        policy = self.policy
        group, stop = (policy.group, policy.stop) if policy else ("", False)
        GAP_RECORDS.labels(group, gap.tp.topic).inc(gap.records)
        log.error(
            "log_gap_found",
            detail="records were removed before they were processed; "
            + ("waiting for you: restart with PIPELINE_ON_GAP=continue" if stop else "continuing at the log's start"),
            group=group,
            topic=gap.tp.topic,
            partition=gap.tp.partition,
            first=gap.start,
            last=gap.end - 1,
        )

    async def _restart_truncated(self, tp: TP, position: int, start: int, end: int) -> None:
        """Restart a truncated log from its start.

        Uncommitted records may not be on the log any more. Then only a new process can start again.
        """
        consumer = self._consumer
        line = f"{tp.topic}/{tp.partition} ends at {end}, before the position {position}: it was recreated or truncated"
        if consumer.has_uncommitted(tp):
            await consumer.app.crash(LogTruncated(line))
            return
        place = {"topic": tp.topic, "partition": tp.partition}
        log.error("log_truncated", detail="reading again from its start", error=line, **place)
        consumer._committed_offset[tp] = None
        consumer._processed.pop(tp, None)
        consumer.quarantine.restart(tp, start)
        await self._resume(tp, start)

    async def _resume(self, tp: TP, offset: int) -> None:
        await self._consumer.seek_wait({tp: offset})
        self.unresolved.discard(tp)


def _off_log(error: KafkaError) -> Iterable[tuple[TP, int | None]]:
    """Return the partitions of an error, each with the position that is not on the log, if it has one."""
    cause: Any = error.args[0]
    if isinstance(error, OffsetOutOfRangeError):
        return [(TP(*tp), position) for tp, position in cause.items()]
    return [(TP(*cause), None)]
