"""The loop of a slow stage: many ordering keys at once, one record at a time in each, retries in place.

The committed offset is that of the first unfinished record, whichever finish behind it. With
`ConcurrentStage.fairness` nobody fills the window or the slots: a key with more than its share, and records that wait
for long while others need the place, are parked (`pipeline.runtime.parking`) and come back in order.
"""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import Any

from faust.types import TP

from pipeline.errors import KeyUnavailable, NewerRecord, RetryAfter, Unavailable, WorkerDied, error_type
from pipeline.logging import bind_record
from pipeline.metrics import PARKED, RECORDS, RETRIES
from pipeline.runtime.flows.breaker import Breaker, describe
from pipeline.runtime.flows.breakers import Breakers, NewBreaker
from pipeline.runtime.flows.commit_queue import EMPTY_REQUEST, CommitQueue, CommitRequest
from pipeline.runtime.flows.context import FlowContext
from pipeline.runtime.flows.dead_letters import BlockedDeadLetters, dead_letter, rejected_by_broker
from pipeline.runtime.flows.failures import log_attempt
from pipeline.runtime.flows.fair_slots import FairSlots
from pipeline.runtime.flows.fairness import group_key
from pipeline.runtime.flows.fetch_buffer import FetchBuffer
from pipeline.runtime.flows.holds import Holds, HoldTarget
from pipeline.runtime.flows.in_flight import InFlight, InFlightRecord, Tried
from pipeline.runtime.flows.keyed_executor import LONG_WAIT, SHORT_WAIT, KeyedExecutor
from pipeline.runtime.flows.record_retries import RecordRetries
from pipeline.runtime.flows.record_runner import RecordRunner
from pipeline.runtime.flows.stage import ConcurrentStage, Parked, PartitionsRevoked
from pipeline.runtime.flows.waits import HeldBy, WaitCount, Waits
from pipeline.runtime.flows.work_count import WorkCount
from pipeline.runtime.parking.queues import ParkedSize
from pipeline.runtime.parking.view import ParkedView
from pipeline.runtime.parking.window import FairWindow
from pipeline.runtime.process.lag import PartitionWork


class ConcurrentLoop:
    """Takes records while there is room, runs the stage, commits what finished, and releases the offsets."""

    def __init__(
        self,
        context: FlowContext,
        source: str,
        buffer: FetchBuffer,
        breaker: Breaker,
        stage: ConcurrentStage,
        group_breaker: NewBreaker | None = None,
    ) -> None:
        self.source = source
        self.breaker = breaker
        self.blocked_dead_letters = BlockedDeadLetters()
        self.buffer = buffer
        self._context = context
        self._assignment = context.assignment
        self._stage = stage
        self._tasks = asyncio.TaskGroup()
        self._retries = RecordRetries(context.retries, stage.retries)
        self._tried: dict[tuple[TP, int], Tried] = {}
        self._looks_again: asyncio.TimerHandle | None = None
        self._in_flight = InFlight(context.assignment)
        self._holds = Holds(self._hold_ended)
        self._window = window = FairWindow(context, source, stage.fairness, self._holds, buffer.new_data.set)
        self.breakers = Breakers(breaker, group_breaker, window.fairness.has_groups)
        self._commits = CommitQueue(context, buffer.new_data.set, window.queue_writes)
        self._executor = KeyedExecutor(
            context,
            source,
            breaker,
            self._in_flight,
            self._work,
            FairSlots(stage.concurrency, stage.fairness),
            self._holds,
            self._park_queue,
            window.parks_groups,
        )
        self._runner = RecordRunner(context, stage, self._in_flight, self._executor, self._commits)

    def __len__(self) -> int:
        return len(self.buffer) + self._unfinished

    @property
    def _unfinished(self) -> int:
        return self._in_flight.unfinished + self._window.loaded

    @property
    def quiet(self) -> bool:
        """True if no record runs. Some may wait for another try."""
        return self._in_flight.quiet

    def work(self) -> dict[TP, PartitionWork]:
        """Return the records that were taken or wait to be, by partition and state."""
        count, parked = WorkCount(self._in_flight, self.blocked_dead_letters), dict[TP, ParkedSize]()
        if self._in_flight.has_current_epoch:
            for queue in self._executor.queues():
                count.count(queue, held=queue[0].waits)
            count.count(self._window.waiting_for_room(), held=True)
            parked = {TP(self.source, partition): size for partition, size in self.parked.sizes().items()}
        return count.by_partition(self.buffer, parked, accepting=not self.breaker.open)

    def waits(self) -> Waits:
        """Return what the records that were taken or parked wait for, by partition and account."""
        count = WaitCount(self._window.fairness, self._holds)
        if self._in_flight.has_current_epoch:
            for queue in self._executor.queues():
                count.taken(queue, self._in_flight.epoch)
            count.without_room(self._window.waiting_for_room())
            count.parked(self._window.queues())
        return count.found()

    @property
    def open_tenants(self) -> dict[str, str]:
        """The kind of error that opened the breaker of a tenant, or of one of its accounts."""
        owner = self._window.fairness.owner
        return {owner(group): cause for group, cause in self.breakers.open_groups.items()}

    @property
    def parked(self) -> ParkedView:
        """The parked records."""
        return self._window.view

    @property
    def parking_used(self) -> float | None:
        """Share of the bound of parked bytes that is used; None: nothing is parked here."""
        return self._window.used_ratio

    @property
    def parking_is_full(self) -> bool:
        """True if there is no room to park more."""
        return self._window.is_full

    async def run(self) -> None:
        # Records arrive in the buffer from the consumer's fetches (`FetchLoop.buffer`). This loop only reads it.
        await self._context.publisher.prefetch_metadata([self.source])
        async with self._tasks:
            self._tasks.create_task(self._commits.run())
            self._tasks.create_task(self._park_long_waits())
            while not self._context.stopping():
                await self._take()

    # Taking

    async def _take(self) -> None:
        # Cleared before the look at what is there, so that no change in between is missed: new records, a batch of
        # commits, the end of a hold, the end of a rebalance.
        self.buffer.new_data.clear()
        if not self._context.accepting():  # partitions move: the buffered records will be delivered again
            self.buffer.clear()
        elif self._take_records() + self._load_parked():
            await asyncio.sleep(0)
            return
        await self.buffer.new_data.wait()

    def _take_records(self) -> int:
        if self._in_flight.start_epoch():
            self.breaker.on_idle()
            self.breakers.forget_groups()
            self._holds.clear()
            self._tried.clear()
            self._window.start_epoch(self._assignment.committed(self.source))
        for key, item in self._window.leaving_room():
            self._place(key, item)
        if not self._may_take():
            return 0
        return sum(self._admit_from(tp) for tp in self.buffer.ready_partitions())

    def _may_take(self) -> bool:
        if self.breaker.open and not self._unfinished:
            self.breaker.on_idle()
        # An open breaker takes no record, except the one that runs alone in the process: that one is the probe.
        return not self.breaker.open or self._assignment.quarantine.runs_alone

    def _admit_from(self, tp: TP) -> int:
        count, size = self._in_flight.capacity(tp)
        records = self.buffer.pop(tp, count, size)
        if records:
            self._assignment.liveness.record_attempt(tp)
        elif self._window.parks(tp.partition):
            self._make_room(tp)
        quarantine = self._assignment.quarantine
        runnable = quarantine.runnable_count(tp, records)
        for n, record in enumerate(records):
            item = self._in_flight.take(tp, record)
            if n >= runnable and (error := quarantine.give_up_error(tp, record.offset)):
                self._condemn(item, error)
            else:
                self._admit(item)
        if records:
            self._window.taken(tp.partition, records[-1].offset + 1)
        return len(records)

    def _load_parked(self) -> int:
        count = 0
        # Each is placed before the next one is loaded, which may be of its key and lie in another queue.
        for item in self._window.load(self._assignment.epoch):
            count += 1
            tried = self._tried.pop((item.tp, item.record.offset), None)
            if tried is not None:
                tried.restore(item)
            if error := self._assignment.quarantine.parked.give_up_error(item.tp, item.record.offset):
                self._condemn(item, error)
            else:
                self._admit(item)
        for partition in self._window.without_memory:
            self._executor.park_waiting(TP(self.source, partition), loaded=True)
        self._window.without_memory.clear()
        if self._window.has_corrections:
            self._commits.add(EMPTY_REQUEST)
        return count

    def _condemn(self, item: InFlightRecord, error: WorkerDied) -> None:
        """Give up a record that may not be run, nor decoded."""
        item.attempts = error.deaths
        self._in_flight.begin(item)
        self._give_up(item, error)

    def _admit(self, item: InFlightRecord) -> None:
        key: Any
        try:
            item.value = self._stage.decode(item.record)
            key = self._stage.ordering_key(item.value)
            hash(key)
        except NewerRecord:  # only a newer worker knows its ordering key: until then it waits in that of its record
            item.decoded, key = False, item.record.key
        except Exception as error:  # the bytes are invalid, whatever decode raises
            self._in_flight.begin(item)
            self._give_up(item, error)
            return
        self._place(key, item)

    def _place(self, key: Any, item: InFlightRecord) -> None:
        if self._window.admits(item):
            self._executor.submit(self._tasks, key, item)
        elif self._window.wait_for_room(key, item):
            self._in_flight.mark_survived(item)
        else:
            self._park(item)

    # Parking

    def end_hold(self, held: HoldTarget) -> None:
        """Try the records of a key or group at once, although something holds them."""
        self._holds.end(held)

    def _hold_ended(self, held: HoldTarget) -> None:
        self._window.wake(held)
        self.buffer.new_data.set()

    async def _park_long_waits(self) -> None:
        """Park records that wait for long, so that their offsets go on."""
        while True:
            await asyncio.sleep(LONG_WAIT / 3)
            for tp in {item.tp for item in self._window.waiting_for_room()}:
                self._assignment.liveness.record_attempt(tp)
            for partition in self._window.partitions:
                if self._window.parks(partition):
                    self._executor.park_waiting(TP(self.source, partition), LONG_WAIT)

    def _make_room(self, tp: TP) -> None:
        """Park records that wait for long, and look again later: others may only begin to wait."""
        self._executor.park_waiting(tp)
        if self._looks_again is None:
            self._looks_again = asyncio.get_running_loop().call_later(SHORT_WAIT, self._look_again)

    def _look_again(self) -> None:
        self._looks_again = None
        self.buffer.new_data.set()

    def _park_queue(self, items: list[InFlightRecord]) -> None:
        """Park the records of an ordering key. Those that were loaded go back to where they still are."""
        front = items[0]
        for item in items:
            self._holds.left(item.fair_key, item)
            if not self._in_flight.is_current(item):
                continue
            if item.attempts or math.isfinite(item.resumes_at):
                self._tried[item.tp, item.record.offset] = Tried.of(item)
            if item.parked is not None and not item.parked.is_group:
                self._window.unload(item)
                self.buffer.new_data.set()
            else:
                self._window.remove(item)
                item.queue_key = group_key(item.fair_key[0]) if front.waits_for_group else item.fair_key
                self._park(item)

    def _park(self, item: InFlightRecord) -> None:
        self._in_flight.begin(item)
        done = partial(self._parked, item)
        self._commits.add(CommitRequest([], self._window.park(item), done, done))

    def _parked(self, item: InFlightRecord) -> None:
        if self._in_flight.is_current(item):
            self._window.parked(item)
        if item.parked is None:
            PARKED.labels(self._context.app, self.source).inc()
        self._leave(item, parked=True)

    # Working

    async def _work(self, item: InFlightRecord) -> None:
        """Run a record until it succeeds, is given up, or partitions move."""
        bind_record(item)  # log lines of this key's task name the record
        if math.isfinite(item.resumes_at):
            await self._executor.pause_until(item, item.resumes_at)
        while True:
            await self._executor.acquire_slot(item)
            try:
                self._executor.require_current(item)
                self._in_flight.begin(item)
                error = await self._attempt(item)
            finally:
                self._executor.release_slot(item)
            if error is None:
                return
            self._in_flight.end(item)
            self._in_flight.mark_survived(item)
            RETRIES.labels(self._stage.name, error_type(error)).inc()
            await self._wait_for_retry(item, error)

    async def _wait_for_retry(self, item: InFlightRecord, error: Exception) -> None:
        """Wait for a record's next try, alone or with all others of its key or group."""
        holds, group = self._holds, item.fair_key[0]
        group_fails = self.breakers.is_open(group)
        delay = self._retries.delay(item, error, probes=group_fails or self.breaker.open)
        log_attempt(item.record, self._stage.name, error, item.attempts, delay)
        self._assignment.liveness.record_attempt(item.tp, delay)
        if isinstance(error, KeyUnavailable):
            held = group if error.whole_group else item.fair_key
            holds.hold(
                held,
                delay,
                probing=error.probing,
                cause=describe(error),
                held_by=error.held_by,
                lasts=error.lasts,
            )
        elif group_fails:
            holds.hold(group, delay, probing=True, cause=describe(error), held_by=HeldBy.BREAKER)
        elif self._leaves_memory(item, error, delay):
            holds.left(item.fair_key, item)
            holds.hold(item.fair_key, delay, probing=False, cause=describe(error), held_by=HeldBy.RETRY)
            item.waits_for_group = False
            raise Parked
        else:
            holds.left(item.fair_key, item)
            await self._executor.pause(item, delay)

    def _leaves_memory(self, item: InFlightRecord, error: Exception, delay: float) -> bool:
        """Return True if a record is parked while it waits, and its key held: the wait is too long for memory."""
        return delay > LONG_WAIT and not isinstance(error, RetryAfter) and self._window.parks(item.tp.partition)

    async def _attempt(self, item: InFlightRecord) -> Exception | None:
        """Try a record once. Return the error if it must be tried again; None: it is finished or given up."""
        try:
            item.outputs = await self._runner.run(item)
        except PartitionsRevoked:
            self._rollback(item)
            self._in_flight.end(item)
            raise
        except Exception as error:
            self._rollback(item)
            if not self._is_last(item, error):
                return error
            try:
                await self._runner.announce_give_up(item, error)
            except Unavailable as away:
                return away
            self._holds.left(item.fair_key, item)
            self._give_up(item, error)
        else:
            self._record_success(item)
            self._finish(item)
        return None

    def _is_last(self, item: InFlightRecord, error: Exception) -> bool:
        self._retries.count(item, error)
        if item.attempts == 1:
            self.breakers.failed(item.fair_key[0], error)
        if self.breakers.forbid_giving_up(item.fair_key[0], error):
            item.probes += 1
            return False
        return self._retries.gives_up(item, error)

    def _record_success(self, item: InFlightRecord) -> None:
        was_probe = self._holds.succeeded(item.fair_key, item)
        if item.attempts or was_probe:
            exhausted = was_probe or self._retries.is_exhausted(item)
            self.breakers.recovered(item.fair_key[0], exhausted=exhausted)
        else:
            self.breakers.succeeded(item.fair_key[0])

    # Finishing

    def _give_up(self, item: InFlightRecord, error: Exception) -> None:
        item.dead = True
        item.outputs = [(dead_letter(item.record, self._stage.name, error, max(item.attempts, 1)), item.record)]
        self._finish(item)

    def _rollback(self, item: InFlightRecord) -> None:
        self._context.tables.rollback(item.journal)

    def _finish(self, item: InFlightRecord) -> None:
        release, reject = partial(self._release_offset, item), partial(self._reject, item)
        writes = item.journal
        if item.parked is not None and self._in_flight.is_current(item):
            writes = [*writes, self._window.finish(item)]
        self._commits.add(CommitRequest(item.outputs, writes, release, reject))

    def _reject(self, item: InFlightRecord) -> None:
        """Handle an output that the broker rejects for its size: publish a dead letter; one of those: try later."""
        record = item.outputs[0][0]
        if item.dead:
            self.blocked_dead_letters.add(record, item.record)
            self._tasks.create_task(self._finish_later(item, rejected_by_broker(record)))
        else:
            self._rollback(item)
            self._give_up(item, rejected_by_broker(record))

    async def _finish_later(self, item: InFlightRecord, error: Exception) -> None:
        item.attempts += 1
        delay = self._context.retries.delay_after(error, item.attempts)
        self._assignment.liveness.attempt_started(item, item.tp, delay)
        try:
            await self._executor.pause(item, delay)
        except PartitionsRevoked:
            self.blocked_dead_letters.remove(item.record)
            self._in_flight.end(item)
        else:
            self._finish(item)

    def _release_offset(self, item: InFlightRecord) -> None:
        RECORDS.labels(self._context.app, "dead" if item.dead else "done").inc()
        if item.dead:
            self.blocked_dead_letters.remove(item.record)
        if item.parked is not None:
            self._window.deleted(item)
        elif self._in_flight.is_current(item):
            self._window.remove(item)
        for callback in item.callbacks:
            self._assignment.when_committed(item.tp, item.record.offset, item.epoch, callback)
        self._leave(item)

    def _leave(self, item: InFlightRecord, *, parked: bool = False) -> None:
        if item.parked is None:
            self._in_flight.release(item, parked=parked)
        self._in_flight.mark_survived(item)
        self._in_flight.end(item)
