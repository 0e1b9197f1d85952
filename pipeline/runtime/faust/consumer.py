"""Faust's consumer, closed where it loses records, and short-cut where it is slow.

It overrides private names of faust-streaming 0.15.3 and aiokafka 0.14.0, which
`tests/unit/runtime/faust/test_private_names.py` watches.

- *Plain agents*: the commit position is the first delivered and unacknowledged offset. Stock Faust looks for the
  first gap among acknowledged ones and steps over an unfinished first record.
- *Flows* (`PipelineApp.flow`): whole fetches go to the flow's backlog, undecoded. No message, event, callback or
  acknowledgement is made per record: that is five sixths of what a record costs in stock Faust.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
import types
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any, cast

from aiokafka.errors import KafkaError
from aiokafka.protocol.group import LeaveGroupRequest
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.utils.futures import notify

from pipeline.runtime.faust.assignor import patient
from pipeline.runtime.faust.gaps import OFF_THE_LOG, Gaps
from pipeline.runtime.flows.commit_callbacks import Callback, CommitCallbacks
from pipeline.runtime.flows.fetch_buffer import FetchBuffer, FetchedChunk
from pipeline.runtime.kafka.raw_fetch import Fetched, FetchedRecord, Undecoded
from pipeline.runtime.process.lease import Lease
from pipeline.runtime.process.liveness import Position, Progress
from pipeline.runtime.quarantine.crash_marker import CrashHint
from pipeline.runtime.quarantine.exclusive import ProcessExclusivity
from pipeline.runtime.quarantine.quarantine import Quarantine
from pipeline.runtime.quarantine.suspects import decode

FETCH_WAIT_MS = 100
"""Faust's 1,500 ms makes every rebalance of a quiet group wait behind a long poll."""
REBALANCE_POLL = 0.05
"""Seconds between two looks whether a rebalance is over. Faust's second would be added to every one."""
ROOM_POLL = 0.02
"""Seconds between two looks at the other partitions while one has no room."""
NOTHING = {TP("", 0)}
"""No partition that there is."""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that talks to Kafka, with a fetch wait that does not hold up rebalances."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer.commit = partial(self._commit_with_notes, consumer.commit)
        return consumer

    async def _commit_with_notes(self, commit: Any, offsets: Mapping[Any, OffsetAndMetadata]) -> None:
        """Faust commits without metadata; a partition's note belongs beside its offset."""
        notes = cast(Consumer, self.consumer).quarantine.notes
        await commit({tp: OffsetAndMetadata(at.offset, notes.get(tp, "")) for tp, at in offsets.items()})

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """All partitions in one request, with their notes; stock asks for one after the other, without."""
        return cast(Mapping[TP, int], await self.call_thread(self._seek_to_committed))

    async def _seek_to_committed(self) -> Mapping[TP, int | None]:
        client = cast(Any, self._consumer)
        assigned = client._subscription.assigned_partitions()
        found: dict[TP, OffsetAndMetadata] = await client._coordinator.fetch_committed_offsets(assigned)
        for tp, at in found.items():
            if at.offset > 0:
                client._fetcher.seek_to(tp, at.offset)
        cast(Consumer, self.consumer).found_notes = {TP(*tp): at.metadata for tp, at in found.items()}
        return {tp: found[tp].offset if tp in found else None for tp in assigned}

    async def on_start(self) -> None:
        await super().on_start()
        client = cast(Any, self._consumer)
        client._coordinator._perform_assignment = patient(client._coordinator, self._end)
        cast(Consumer, self.consumer).lease.follow(client._coordinator)
        client._fetcher._records = Undecoded(cast(Consumer, self.consumer).backlogs)

    def _end(self, error: Exception) -> None:
        asyncio.run_coroutine_threadsafe(self.app.crash(error), self.parent_loop)

    async def ask_broker(self) -> None:
        if self._consumer is not None:
            await self.call_thread(cast(Any, self._consumer).topics)

    async def on_thread_stop(self) -> None:
        """While the broker is away, aiokafka's own stop ends with the cancellation of a fetch that waits to try again.

        With stock Faust that ends the thread unheard, and whoever stops it waits until the process is killed.
        """
        with suppress(asyncio.CancelledError):
            await super().on_thread_stop()

    async def offsets_at(self, times: Mapping[TP, int]) -> dict[TP, int | None]:
        """The first offset of each partition that is not older, in ms since the epoch; None where all are."""
        found = await self.call_thread(self._ensure_consumer().offsets_for_times, times)
        return {tp: at and at.offset for tp, at in found.items()}

    async def leave(self, notes: Mapping[TP, tuple[int, str]]) -> None:
        """Commits these notes, each with its position, then tells the group that this member is gone.

        A static member's place is kept for its return. The client is not told: it would join again. Only for a process
        that ends now.
        """
        coordinator = cast(Any, self._consumer)._coordinator
        if notes:
            offsets = {TopicPartition(*tp): OffsetAndMetadata(*note) for tp, note in notes.items()}
            assignment = cast(Any, self._consumer)._subscription.subscription.assignment
            with suppress(KafkaError):
                await coordinator.commit_offsets(assignment, offsets)
        if coordinator.generation > 0 and coordinator._group_instance_id is None:
            await coordinator._send_req(LeaveGroupRequest(coordinator.group_id, coordinator.member_id))

    async def _fetch_records(self, consumer: Any, *args: Any, **kwargs: Any) -> Mapping[TP, list[Any]]:
        """A fetch that a new assignment overtook gives its records back: whoever asked for them is gone.

        Raises what ended the client's place in its group. The client waits for somebody to ask and does nothing more
        for its membership until then; stock Faust never asks, so a worker went on with partitions that were another's.
        """
        consumer._coordinator.check_errors()
        before = _assignment(consumer)
        records: Mapping[TP, list[Any]] = await super()._fetch_records(consumer, *args, **kwargs)
        if _assignment(consumer) is before:
            return records
        for tp, found in records.items():
            consumer._fetcher.seek_to(tp, found[0].offset)
        return {}


def _nothing() -> None:
    """Nobody keeps anything."""


def _assignment(consumer: Any) -> Any:
    subscription = consumer._subscription.subscription
    return subscription and subscription.assignment


class Busy:
    """Stands for a flow's unfinished work among Faust's unacknowledged messages, so that a rebalance waits for it."""

    __slots__ = ("__weakref__", "acked", "refcount")

    def __init__(self) -> None:
        self.acked = False
        self.refcount = 1


class Consumer(driver.Consumer):
    """See the module.

    Attributes:
        backlogs: of the flow that reads a topic.
        progress: is told of it.
        quarantine: the gate of the backlogs.
        got_on: called when a commit shows that records get on.
        apart_since: since when it has no settled place in its group; None: it has one, be it without partitions.
        found_notes: metadata beside the committed offsets, as last read.
        hint: the record in whose midst the last life of this worker died, until positions are set.
        on_forget: called when partitions were revoked or assigned: nothing in memory for them holds any more.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.backlogs: dict[str, FetchBuffer] = {}
        self.progress = Progress()
        self.lease = Lease(min(self.app.conf.broker_session_timeout, self.app.conf.broker_rebalance_timeout))
        self.on_forget: Callable[[], None] = _nothing
        self.gaps = Gaps(self)
        self.epoch = 0  # goes up whenever positions are set anew: what was fetched before is void
        self._delivered: dict[TP, deque[int]] = defaultdict(deque)
        self._done: dict[TP, int] = {}
        self._callbacks = CommitCallbacks()
        self.found_notes: Mapping[TP, str] = {}
        self.hint: CrashHint | None = None
        self.apart_since: float | None = time.monotonic()
        self.got_on: Callable[[], object] = lambda: None
        self.guard(ProcessExclusivity(), lambda: True)

    def guard(self, exclusive: ProcessExclusivity, quiet: Callable[[], bool]) -> None:
        """Puts a quarantine before all backlogs, one with others of the process."""
        self.quarantine = Quarantine(self.app.conf.id, self, exclusive, quiet)
        for backlog in self.backlogs.values():
            backlog.gate = self.quarantine

    async def on_start(self) -> None:
        await super().on_start()
        self.add_future(self.quarantine.run())

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def client(self) -> Any:
        """aiokafka's consumer, which lives in the other thread."""
        return cast(ConsumerThread, self._thread)._consumer

    def leave_group(self, *, blameless: bool) -> concurrent.futures.Future[None]:
        """See `ConsumerThread.leave`. It is done in that thread, whatever this one does.

        `blameless`: this end says nothing about the records in hand.
        """
        thread, notes = cast(ConsumerThread, self._thread), self.quarantine.final_notes() if blameless else {}
        return asyncio.run_coroutine_threadsafe(thread.leave(notes), thread.thread_loop)

    # Flows

    def begin(self) -> Busy:
        """Work of a flow begins: a rebalance or a stop waits until it is finished."""
        busy = Busy()
        self._unacked_messages.add(busy)  # type: ignore[arg-type]
        return busy

    def finish(self, busy: Busy) -> None:
        busy.acked = True
        self._unacked_messages.discard(busy)  # type: ignore[arg-type]
        notify(self._waiting_for_ack)

    def done(self, tp: TP, position: int, epoch: int) -> None:
        """Everything of `tp` below `position` is finished, if positions were not set anew in between."""
        self.progress.tried(tp)
        if epoch == self.epoch:
            reached = self.gaps.past(tp, position) if self.gaps.passed else position
            self._done[tp] = max(reached, self._done.get(tp, 0))

    def finished(self, tp: TP) -> int:
        """Below this everything of a flow's partition is finished."""
        return self._done.get(tp, self._committed_offset[tp] or 0)

    def in_hand(self, tp: TP) -> bool:
        """Whether something of a partition was fetched and is not committed."""
        most = max(self.finished(tp), self._read_offset[tp] or 0)
        return most > (self._committed_offset[tp] or 0) or bool(self._delivered.get(tp))

    def when_committed(self, tp: TP, offset: int, epoch: int, then: Callback) -> None:
        """Calls `then` once `offset` is committed, if positions are not set anew before."""
        if epoch == self.epoch:
            self._callbacks.add(tp, offset, then)

    # Committing

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        epoch, committed = self.epoch, await super()._commit(offsets)
        if committed and epoch == self.epoch:
            for tp, position in offsets.items():
                self._callbacks.committed(tp, position)
        return bool(committed)

    async def commit_and_end_transactions(self) -> None:
        # A commit that is under way does not hold what was finished since, and stock Faust would leave it at that.
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
            self.got_on()
        return done

    def _filter_committable_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        if self.app.crashed:  # Faust acknowledges the event in whose midst an agent died
            return {}
        offsets: dict[TP, int] = super()._filter_committable_offsets(tps)
        offsets.update({tp: offset for tp, offset in self._done.items() if self._should_commit(tp, offset)})
        return self.quarantine.begin_commit(offsets)

    def _new_offset(self, tp: TP) -> int | None:
        delivered, acked, last = self._delivered[tp], self._acked_index[tp], None
        while delivered and delivered[0] in acked:
            last = delivered.popleft()
            acked.discard(last)
        self._acked[tp][:] = list(acked)
        if last is None:
            return None
        return delivered[0] if delivered else last + 1

    def ack(self, message: Any) -> bool:
        # An acknowledgement of an older generation must not count against offsets that will be delivered again.
        if message.generation_id != self.app.consumer_generation_id and not self.app.rebalancing:
            message.acked = True
            self._unacked_messages.discard(message)
            return False
        return bool(super().ack(message))

    # Positions

    @property
    def behind(self) -> list[TP]:
        """The partitions that had something unfinished when they were last observed."""
        return list(self.progress.ages())

    async def offsets_at(self, times: Mapping[TP, int]) -> dict[TP, int | None]:
        """See `ConsumerThread.offsets_at`."""
        return await cast(ConsumerThread, self._thread).offsets_at(times)

    async def ask_broker(self) -> None:
        """Returns when it answers. Raises what aiokafka raises while it does not."""
        await cast(ConsumerThread, self._thread).ask_broker()

    async def observe(self) -> None:
        """Looks where every partition stands, by the broker's own word about its end.

        Raises what aiokafka raises while the broker does not answer.
        """
        mine = {tp for tp in self.assignment() if not self._is_changelog_tp(tp)}
        self.progress.keep(mine)
        for tp, end in (await self.highwaters(*mine)).items():
            taken = self._read_offset[tp] or 0
            # The end may lie behind records that nobody gets: markers of transactions, what compaction took.
            behind = self.in_hand(tp) or (end > taken and end > (await self.position(tp) or 0))
            self.progress.seen(tp, Position(self._committed_offset[tp] or 0, self.finished(tp), behind))
        # It waits for the broker, for a person, or for a record that runs alone: a restart would not help.
        for tp in (*self.gaps.unsettled, *self.quarantine.held_back):
            self.progress.tried(tp)

    async def perform_seek(self) -> None:
        await super().perform_seek()
        self._forget()
        await self.gaps.begin()
        await self._inherit()

    async def _inherit(self) -> None:
        """Looks what the last process of each partition came to; only where it died again where the partition ends."""
        mine = [tp for tp in self.assignment() if tp.topic in self.backlogs]
        found = {tp: (self._committed_offset[tp], self.found_notes.get(tp, "")) for tp in mine}
        asked = [tp for tp, (_, note) in found.items() if decode(note).needs_end]
        ends = await self.highwaters(*asked) if asked else {}
        positions = {tp: (self._read_offset[tp] if at is None else at, note) for tp, (at, note) in found.items()}
        self.quarantine.inherit(positions, ends, self.hint)
        self.hint = None if found else self.hint  # it is about what the last life of this process had

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self.apart_since = self.apart_since or time.monotonic()
        self.quarantine.rest()
        await super().on_partitions_revoked(revoked)
        self._forget()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        await super().on_partitions_assigned(assigned, generation_id)
        self.apart_since = None

    def _forget(self) -> None:
        self.epoch += 1
        self._done.clear()
        self.on_forget()
        self.gaps.clear()
        self._callbacks.clear()
        self.quarantine.reset()
        for backlog in self.backlogs.values():
            backlog.clear()
        for tp in list(self._delivered):
            del self._delivered[tp]
            self._acked.pop(tp, None)
            self._acked_index.pop(tp, None)

    # Fetching

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[Any]]:
        try:
            return await self._fetch(active_partitions, timeout)
        except OFF_THE_LOG as error:
            self.gaps.found(error)
            return {}

    async def _fetch(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[Any]]:
        asked = active_partitions or set()
        for backlog in self.backlogs.values():
            backlog.has_capacity.clear()
        wanted = {tp for tp in asked if self._wants(tp)}
        if not wanted:
            await self._wait_for_room(REBALANCE_POLL if self.app.rebalancing else timeout)
            # It still asks for something: the group gives a member up that has not asked for a quarter of an hour.
            return await super()._getmany(NOTHING, 0)
        if not any(self._full(tp) for tp in asked):
            return await super()._getmany(wanted, timeout)
        # Who waits for quiet partitions does not hear that a full one has room again.
        records = await super()._getmany(wanted, 0)
        if not records:
            await self._wait_for_room(ROOM_POLL)
        return records

    def _wants(self, tp: TP) -> bool:
        """Not while its backlog is full, nor before a rebalance is over: positions are still being set until then."""
        if tp in self.gaps.unsettled:
            return False
        return self._is_changelog_tp(tp) or not (self.app.rebalancing or self._full(tp))

    def _full(self, tp: TP) -> bool:
        backlog = self.backlogs.get(tp.topic)
        return backlog is not None and backlog.full(tp)

    async def _wait_for_room(self, timeout: float) -> None:
        waits = [asyncio.ensure_future(self.suspend_flow.wait())]
        waits += [asyncio.ensure_future(backlog.has_capacity.wait()) for backlog in set(self.backlogs.values())]
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                await self._drain_once()
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise

    async def _drain_once(self) -> None:
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]
        records = await self._getmany(self._get_active_partitions(), 1.0)
        await asyncio.sleep(0)
        # Nothing is lost here: the flow stops for a new assignment, which starts from what is committed.
        if self.should_stop or not self.flow_active:
            return
        slow = {tp: found for tp, found in records.items() if not self._to_backlog(tp, found)}
        if slow:
            await self._deliver(slow)
        with suppress(KafkaError):  # partitions may move meanwhile
            for tp in self.quarantine.suspects:
                self.quarantine.mark_buffered(tp, await self.position(tp) or 0)

    def _to_backlog(self, tp: TP, found: list[Any]) -> bool:
        backlog = self.backlogs.get(tp.topic)
        if backlog is None:
            return False
        for fetched in cast(list[Fetched], found):
            records = fetched.records(self._read_offset[tp] or 0)
            self._read_offset[tp] = fetched.end
            backlog.add(tp, FetchedChunk(chain(records, self._read(fetched)), fetched.count, fetched.size))
        return True

    def _read(self, fetched: Fetched) -> Iterator[FetchedRecord]:
        """Behind the last record nobody is late, whatever else is there: markers of transactions, compacted records."""
        if self._read_offset[fetched.tp] == fetched.end:
            self._read_offset[fetched.tp] = fetched.read
        yield from ()

    async def _deliver(self, records: Mapping[TP, list[Any]]) -> None:
        """Stock delivery, record by record: plain agents and table recovery."""
        generation, callback = self.app.consumer_generation_id, self.callback
        acks_enabled_for = self.app.topics.acks_enabled_for
        for tp, record in self.scheduler.iterate(records):
            if not self.flow_active or generation != self.app.consumer_generation_id:
                return
            read = self._read_offset[tp]
            if read is not None and record.offset < read:
                continue
            if acks_enabled_for(tp.topic):
                self._delivered[tp].append(record.offset)
            await self._call(callback(self._to_message(tp, record)))
            self._read_offset[tp] = record.offset

    async def _call(self, callback: Any) -> None:
        """Runs the callback, and races it against the suspend event only if it really blocks: a full queue."""
        try:
            first = callback.send(None)
        except StopIteration:
            return
        await self.wait_first(_resume(callback, first), self.suspend_flow.wait())


async def _resume(coroutine: Coroutine[Any, Any, None], first: Any) -> None:
    await _step(coroutine, first)


@types.coroutine
def _step(coroutine: Coroutine[Any, Any, None], waited: Any) -> Generator[Any, Any, None]:
    """Goes on with a coroutine whose first awaited future is `waited`."""
    while True:
        try:
            sent = yield waited
        except BaseException as error:
            step = partial(coroutine.throw, error)
        else:
            step = partial(coroutine.send, sent)
        try:
            waited = step()
        except StopIteration:
            return
