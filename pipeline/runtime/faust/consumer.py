"""The consumer of an app: Faust's, with a short path for flows (`PipelineApp.flow`).

A flow's fetches go to its buffer whole and undecoded. No message, event, callback or acknowledgement is made for each
record, which is five sixths of a record's cost in stock Faust. A flow reports how far it has processed a partition, and
that is committed. Plain agents keep Faust's path (`PlainAgentConsumer`).

It overrides private names of faust-streaming 0.15.3, which `tests/unit/runtime/faust/test_private_names.py` watches.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from faust.types import TP
from mode.utils.futures import notify

from pipeline.logging import get_logger
from pipeline.runtime.faust.consumer_thread import ConsumerThread
from pipeline.runtime.faust.fetch_loop import FetchLoop
from pipeline.runtime.faust.gaps import OFF_LOG_ERRORS, OffLogPositions
from pipeline.runtime.faust.observation import observe_lag, observe_positions
from pipeline.runtime.faust.plain_agent_consumer import PlainAgentConsumer
from pipeline.runtime.flows.commit_callbacks import Callback, CommitCallbacks
from pipeline.runtime.flows.fetch_buffer import FetchBuffer
from pipeline.runtime.process.lag import PartitionLag, PartitionWork
from pipeline.runtime.process.lease import MembershipLease
from pipeline.runtime.process.liveness import Liveness
from pipeline.runtime.quarantine.crash_marker import CrashHint
from pipeline.runtime.quarantine.exclusive import ProcessExclusivity
from pipeline.runtime.quarantine.quarantine import Quarantine
from pipeline.runtime.quarantine.suspects import decode

log = get_logger(__name__)


class InFlightToken:
    """Stands for a flow's unfinished work among Faust's unacknowledged messages, so that a rebalance waits for it."""

    __slots__ = ("__weakref__", "acked", "refcount")

    def __init__(self) -> None:
        self.acked = False
        self.refcount = 1


class Consumer(PlainAgentConsumer):
    """The consumer of flows and plain agents.

    Attributes:
        buffers: the fetch buffer of each flow, by source topic.
        liveness: the last activity on each partition.
        lease: the membership of the group.
        log_ends: the end of the log of each partition, as last observed; without changelogs.
        off_log: positions that are not on the log.
        epoch: number of resets of all positions. What was fetched in an earlier epoch is void.
        positioned: True once positions are set and tables are recovered. Faust resumes the flow while it recovers.
        quarantine: the gate of the buffers.
        committed_notes: metadata beside the committed offsets, as last read.
        hint: the record during which the last process of this worker died, until positions are set.
        unassigned_since: monotonic time since which it is no member of its group; None: it is one, with or without
            partitions.
        refused: True while the group's members are of a version with another group protocol. It is tried again.
        on_progress: called when a commit shows that records are being processed.
        on_forget: called when partitions were revoked or assigned: nothing in memory about them is valid any more.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.buffers: dict[str, FetchBuffer] = {}
        self.liveness = Liveness()
        self.lease = MembershipLease(min(self.app.conf.broker_session_timeout, self.app.conf.broker_rebalance_timeout))
        self.log_ends: Mapping[TP, int] = {}
        self.off_log = OffLogPositions(self)
        self.epoch = 0
        self.positioned = False
        self.committed_notes: Mapping[TP, str] = {}
        self.hint: CrashHint | None = None
        self.unassigned_since: float | None = time.monotonic()
        self.refused = False
        self.on_progress: Callable[[], object] = lambda: None
        self.on_forget: Callable[[], object] = lambda: None
        self._processed: dict[TP, int] = {}
        self._callbacks = CommitCallbacks()
        self._fetch_loop = FetchLoop(self)
        self.guard(ProcessExclusivity(), lambda: True)

    def guard(self, exclusive: ProcessExclusivity, quiet: Callable[[], bool]) -> None:
        """Put a quarantine before all buffers; `exclusive` is shared by all apps of the process."""
        self.quarantine = Quarantine(self.app.conf.id, self, exclusive, quiet)
        for buffer in self.buffers.values():
            buffer.gate = self.quarantine

    async def on_start(self) -> None:
        await super().on_start()
        self.add_future(self.quarantine.run())

    # The thread of the client

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def _client_thread(self) -> ConsumerThread:
        return cast(ConsumerThread, self._thread)

    @property
    def client(self) -> Any:
        """aiokafka's consumer, which lives in the other thread."""
        return self._client_thread._consumer

    async def offsets_at(self, times: Mapping[TP, int]) -> dict[TP, int | None]:
        """Return the first offset of each partition at or after a time in ms since the epoch, or None."""
        return await self._client_thread.offsets_at(times)

    async def ping_broker(self) -> None:
        """Return once the broker answers. Raises the errors of aiokafka."""
        await self._client_thread.ping_broker()

    def leave_group(self, *, blameless: bool) -> concurrent.futures.Future[None]:
        """Leave the group in the client's thread, even if this thread is blocked.

        `blameless`: this end of the process must not count against the records in progress.
        """
        notes = self.quarantine.final_notes() if blameless else {}
        return asyncio.run_coroutine_threadsafe(self._client_thread.leave(notes), self._client_thread.thread_loop)

    # Work of flows

    def committed(self, topic: str) -> dict[int, int]:
        """Return the committed position of each partition of a topic that belongs to this process."""
        return {tp.partition: self._committed_offset[tp] or 0 for tp in self.assignment() if tp.topic == topic}

    def resume_flow(self) -> None:
        super().resume_flow()
        for buffer in self.buffers.values():  # a flow may have parked records and no others
            buffer.new_data.set()

    def begin_work(self) -> InFlightToken:
        """Begin a flow's work. A rebalance or a stop waits until it ends."""
        token = InFlightToken()
        self._unacked_messages.add(token)  # type: ignore[arg-type]
        return token

    def end_work(self, token: InFlightToken) -> None:
        token.acked = True
        self._unacked_messages.discard(token)  # type: ignore[arg-type]
        notify(self._waiting_for_ack)

    def mark_processed(self, tp: TP, position: int, epoch: int) -> None:
        """Record that all records of `tp` below `position` are processed, unless they are of an earlier epoch."""
        self.liveness.record_attempt(tp)
        if epoch == self.epoch:
            reached = self.off_log.skip_gap(tp, position) if self.off_log.skipped else position
            self._processed[tp] = max(reached, self._processed.get(tp, 0))

    def when_committed(self, tp: TP, offset: int, epoch: int, then: Callback) -> None:
        """Call `then` once `offset` is committed, unless positions are reset before."""
        if epoch == self.epoch:
            self._callbacks.add(tp, offset, then)

    # Positions

    def processed_position(self, tp: TP) -> int:
        """Return the offset below which all records of a flow's partition are processed."""
        return self._processed.get(tp, self._committed_offset[tp] or 0)

    def has_uncommitted(self, tp: TP) -> bool:
        """Return True if records of the partition were fetched and are not committed."""
        furthest = max(self.processed_position(tp), self._read_offset[tp] or 0)
        return furthest > (self._committed_offset[tp] or 0) or bool(self._delivered.get(tp))

    @property
    def lagging(self) -> list[TP]:
        """The partitions that had something unfinished when they were last observed."""
        return list(self.liveness.stalled_for())

    async def observe(self) -> None:
        """Update `liveness` by the ends of the logs. Raises the errors of aiokafka."""
        await observe_positions(self)

    async def lag(self, work: Mapping[TP, PartitionWork]) -> dict[TP, PartitionLag]:
        """Return the lag of each partition, as of the last `observe`. Raises the errors of aiokafka."""
        return await observe_lag(self, work)

    @property
    def blocked(self) -> set[TP]:
        """The partitions of which nothing can be taken: a person, or a record that runs alone, must end first."""
        return {*self.off_log.awaiting_operator, *self.quarantine.held_back}

    # Committing

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        epoch, committed = self.epoch, await super()._commit(offsets)
        if committed and epoch == self.epoch:
            for tp, position in offsets.items():
                self._callbacks.committed(tp, position)
        return bool(committed)

    async def commit_and_end_transactions(self) -> None:
        # A commit that is running does not include what was processed since; stock Faust would be content with it.
        while await self.maybe_wait_for_commit_to_finish():
            pass
        await super().commit_and_end_transactions()

    async def commit_notes(self) -> bool:
        while await self.maybe_wait_for_commit_to_finish():
            pass
        return await self.commit()

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        done = await super()._commit_offsets(offsets, start_new_transaction)
        if done and self.quarantine.finish_commit():
            self.on_progress()
        return done

    def _filter_committable_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        if self.app.crashed:  # Faust acknowledges the event during which an agent died
            return {}
        offsets: dict[TP, int] = super()._filter_committable_offsets(tps)
        offsets.update({tp: offset for tp, offset in self._processed.items() if self._should_commit(tp, offset)})
        return self.quarantine.begin_commit(offsets)

    # Rebalances

    async def perform_seek(self) -> None:
        await super().perform_seek()
        self._reset()
        self.positioned = True
        await self.off_log.start_new_partitions()
        await self._inherit_suspects()

    async def _inherit_suspects(self) -> None:
        """Give the quarantine the notes of each partition's last process. Only some notes need the log's end."""
        assigned = [tp for tp in self.assignment() if tp.topic in self.buffers]
        found = {tp: (self._committed_offset[tp], self.committed_notes.get(tp, "")) for tp in assigned}
        for tp, (position, _) in found.items():
            self._callbacks.committed(tp, position or 0)
        open_ended = [tp for tp, (_, note) in found.items() if decode(note).needs_end]
        ends = await self.highwaters(*open_ended) if open_ended else {}
        positions = {tp: (self._read_offset[tp] if at is None else at, note) for tp, (at, note) in found.items()}
        self.quarantine.inherit(positions, ends, self.hint)
        self.hint = None if found else self.hint  # it is about the partitions of this process's last life

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self.unassigned_since = self.unassigned_since or time.monotonic()
        self.quarantine.rest()
        self.positioned = False
        await super().on_partitions_revoked(revoked)
        self._reset()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        await super().on_partitions_assigned(assigned, generation_id)
        self.unassigned_since = None

    def set_refused(self, refused: bool) -> None:
        """Note that the group refuses this member for its protocol, or no longer. Called in the client's thread."""
        if refused and not self.refused:
            log.warning("group_waiting_for_other_version", detail="its workers leave first", app=self.app.conf.id)
        if self.refused and not refused and self.unassigned_since is not None:  # None: it has its assignment already
            self.unassigned_since = time.monotonic()
        self.refused = refused

    def _reset(self) -> None:
        """Forget everything about the partitions, because positions are reset."""
        self.epoch += 1
        self._processed.clear()
        self.on_forget()
        self.off_log.clear()
        self._callbacks.clear()
        self.quarantine.reset()
        for buffer in self.buffers.values():
            buffer.clear()
        self._forget_delivered()

    # Fetching

    async def fetch(self, tps: set[TP], timeout: float) -> Mapping[TP, list[Any]]:
        """Fetch these partitions, as stock Faust does."""
        return await super()._getmany(tps, timeout)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[Any]]:
        try:
            return await self._fetch_loop.getmany(active_partitions or set(), timeout)
        except OFF_LOG_ERRORS as error:
            self.off_log.handle(error)
            return {}

    async def _drain_messages(self, fetcher: Any) -> None:
        await self._fetch_loop.run(fetcher)
