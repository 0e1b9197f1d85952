"""The loop of a slow stage: many ordering keys at once, one record at a time in each, retries in place.

The committed offset is that of the first unfinished record, whichever finish behind it.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from faust.types import TP

from pipeline.errors import NewerRecord, Unavailable, WorkerDied, error_type
from pipeline.logging import bind_record
from pipeline.metrics import RECORDS, RETRIES
from pipeline.runtime.flows.breaker import Breaker
from pipeline.runtime.flows.commit_queue import CommitQueue, CommitRequest
from pipeline.runtime.flows.context import FlowContext
from pipeline.runtime.flows.dead_letters import BlockedDeadLetters, dead_letter, rejected_by_broker
from pipeline.runtime.flows.fetch_buffer import FetchBuffer
from pipeline.runtime.flows.in_flight import InFlight, InFlightRecord
from pipeline.runtime.flows.keyed_executor import KeyedExecutor
from pipeline.runtime.flows.record_runner import RecordRunner
from pipeline.runtime.flows.stage import ConcurrentStage, PartitionsRevoked
from pipeline.runtime.flows.work_count import WorkCount
from pipeline.runtime.process.lag import PartitionWork


class ConcurrentLoop:
    """Takes records while there is room, runs the stage, commits what finished, and releases the offsets."""

    def __init__(
        self, context: FlowContext, source: str, buffer: FetchBuffer, breaker: Breaker, stage: ConcurrentStage
    ) -> None:
        self.source = source
        self.breaker = breaker
        self.blocked_dead_letters = BlockedDeadLetters()
        self.buffer = buffer
        self._context = context
        self._assignment = context.assignment
        self._stage = stage
        self._has_room = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        self._in_flight = InFlight(context.assignment)
        self._commits = CommitQueue(context, self._has_room.set)
        self._executor = KeyedExecutor(context, source, breaker, self._in_flight, self._work, stage.concurrency)
        self._runner = RecordRunner(context, stage, self._in_flight, self._executor, self._commits)

    def __len__(self) -> int:
        return len(self.buffer) + self._in_flight.unfinished

    @property
    def quiet(self) -> bool:
        """True if no record runs. Some may wait for another try."""
        return self._in_flight.quiet

    def work(self) -> dict[TP, PartitionWork]:
        """Return the records that were taken or wait to be, by partition and state."""
        count = WorkCount(self._in_flight, self._executor, self.blocked_dead_letters)
        return count.by_partition(self.buffer, accepting=not self.breaker.open)

    async def run(self) -> None:
        # Records arrive in the buffer from the consumer's fetches (`FetchLoop.buffer`). This loop only reads it.
        await self._context.publisher.prefetch_metadata([self.source])
        async with self._tasks:
            self._tasks.create_task(self._commits.run())
            while not self._context.stopping():
                await self._take()

    # Taking

    async def _take(self) -> None:
        await self.buffer.not_empty.wait()
        if not self._context.accepting():  # partitions move: the buffered records will be delivered again
            self.buffer.clear()
            await asyncio.sleep(0)
            return
        if self._in_flight.start_epoch():
            self.breaker.on_idle()
        # Both events are cleared before the look at what is there, so that no change in between is missed.
        self._has_room.clear()
        self.buffer.new_data.clear()
        if not self._may_take() or not sum(self._admit_from(tp) for tp in self.buffer.ready_partitions()):
            await self._wait_for_room()
        await asyncio.sleep(0)

    def _may_take(self) -> bool:
        if self.breaker.open and not self._in_flight.unfinished:
            self.breaker.on_idle()
        # An open breaker takes no record, except the one that runs alone in the process: that one is the probe.
        return not self.breaker.open or self._assignment.quarantine.runs_alone

    def _admit_from(self, tp: TP) -> int:
        records = self.buffer.pop(tp, *self._in_flight.capacity(tp))
        if records:
            self._assignment.liveness.record_attempt(tp)
        quarantine = self._assignment.quarantine
        runnable = quarantine.runnable_count(tp, records)
        for n, record in enumerate(records):
            item = self._in_flight.take(tp, record)
            if n >= runnable and (error := quarantine.give_up_error(tp, record.offset)):
                self._condemn(item, error)
            else:
                self._admit(item)
        return len(records)

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
        self._executor.submit(self._tasks, key, item)

    async def _wait_for_room(self) -> None:
        """Wait for a change: every partition with records has too many unfinished ones, or the breaker is open."""
        events = (self._has_room, self.buffer.new_data, self._assignment.suspend_flow)
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    # Working

    async def _work(self, item: InFlightRecord) -> None:
        """Run a record until it succeeds, is given up, or partitions move."""
        bind_record(item)  # log lines of this key's task name the record
        while True:
            await self._executor.acquire_slot(item)
            try:
                self._executor.require_current(item)
                self._in_flight.begin(item)
                error = await self._attempt(item)
            finally:
                self._executor.release_slot()
            if error is None:
                return
            self._in_flight.end(item)
            RETRIES.labels(self._stage.name, error_type(error)).inc()
            await self._executor.pause(item, self._context.retries.delay_after(error, item.attempts))

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
            self._give_up(item, error)
        else:
            self._record_success(item)
            self._finish(item)
        return None

    def _is_last(self, item: InFlightRecord, error: Exception) -> bool:
        item.attempts += 1
        if item.attempts == 1:
            self.breaker.failed(error)
        if self.breaker.forbids_giving_up(error):
            return False
        return self._context.retries.gives_up(error, item.attempts)

    def _record_success(self, item: InFlightRecord) -> None:
        if item.attempts:
            self.breaker.recovered(exhausted=self._context.retries.is_exhausted(item.attempts))
        else:
            self.breaker.succeeded(1)

    # Finishing

    def _give_up(self, item: InFlightRecord, error: Exception) -> None:
        item.dead = True
        item.outputs = [(dead_letter(item.record, self._stage.name, error, max(item.attempts, 1)), item.record)]
        self._finish(item)

    def _rollback(self, item: InFlightRecord) -> None:
        self._context.tables.rollback(item.journal)

    def _finish(self, item: InFlightRecord) -> None:
        release, reject = partial(self._release_offset, item), partial(self._reject, item)
        self._commits.add(CommitRequest(item.outputs, item.journal, release, reject))

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
        self._in_flight.release(item)
        self._in_flight.mark_survived(item)
        self._in_flight.end(item)
