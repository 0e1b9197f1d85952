"""Concurrent work in order: one record at a time for each ordering key, and so many in all."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from contextlib import suppress

from pipeline.runtime.flows.breaker import Breaker
from pipeline.runtime.flows.context import FlowContext
from pipeline.runtime.flows.in_flight import InFlight, InFlightRecord
from pipeline.runtime.flows.stage import PartitionsRevoked


class KeyedExecutor:
    """Runs `work` for records: in order within a key, side by side across keys, with `concurrency` slots.

    Args:
        work: processes one record to its end. It raises `PartitionsRevoked` if the record will be delivered again.
        source: the flow's topic.
    """

    def __init__(
        self,
        context: FlowContext,
        source: str,
        breaker: Breaker,
        in_flight: InFlight,
        work: Callable[[InFlightRecord], Awaitable[None]],
        concurrency: int,
    ) -> None:
        self._context = context
        self._assignment = context.assignment
        self._source = source
        self._breaker = breaker
        self._in_flight = in_flight
        self._work = work
        self._slots = asyncio.Semaphore(concurrency)
        self._queues: dict[Hashable, deque[InFlightRecord]] = {}

    def submit(self, tasks: asyncio.TaskGroup, key: Hashable, item: InFlightRecord) -> None:
        """Queue a record behind the others of its key."""
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = deque()
            tasks.create_task(self._run_queue(key, queue))
        queue.append(item)
        item.queue = queue
        if self._is_blocked(item):
            self._in_flight.mark_survived(item)

    def queues(self) -> Iterable[Sequence[InFlightRecord]]:
        """Return the records of each key that were submitted and are not finished, from the one that is worked on."""
        return self._queues.values()

    async def _run_queue(self, key: Hashable, queue: deque[InFlightRecord]) -> None:
        while queue:
            with suppress(PartitionsRevoked):
                await self._work(queue[0])
            queue.popleft()
        del self._queues[key]

    # Slots

    async def acquire_slot(self, item: InFlightRecord) -> None:
        """Take a slot. While another record must run alone in the process, no slot is held."""
        quarantine = self._assignment.quarantine
        await self._slots.acquire()
        while quarantine.must_wait(item.tp, item.record.offset) and self._in_flight.is_current(item):
            self._slots.release()
            await quarantine.may_run.wait()
            await self._slots.acquire()

    def release_slot(self) -> None:
        self._slots.release()

    def require_current(self, item: InFlightRecord) -> None:
        """Raise `PartitionsRevoked` if the record may not run here any more."""
        if not self._in_flight.is_current(item) or not self._context.accepting():
            raise PartitionsRevoked

    # Waiting

    async def wait(self, item: InFlightRecord, seconds: float) -> None:
        """Wait in the middle of a record's work, without blocking a slot or a rebalance."""
        self._in_flight.end(item)
        self._slots.release()
        try:
            await self.pause(item, seconds)
        finally:
            await self.acquire_slot(item)
            self._in_flight.begin(item)
        self.require_current(item)  # partitions may have moved while it waited for a slot

    async def pause(self, item: InFlightRecord, seconds: float) -> None:
        """Wait for a record's next try. Raises `PartitionsRevoked` if partitions move first."""
        # Liveness: a record that is tried again in place is alive, and a restart would not help.
        self._assignment.liveness.record_attempt(item.tp, seconds)
        if self._breaker.open:  # the record is the probe, so all partitions wait for it
            self._assignment.liveness.record_topic_wait(self._source, seconds)
        item.waits = True
        for each in self._blocked_by(item):
            self._in_flight.mark_survived(each)
        if not await self._context.sleep(self._assignment.suspend_flow, seconds):
            raise PartitionsRevoked
        item.waits = False  # it may still need a slot: that is work which more workers could do

    def _is_blocked(self, item: InFlightRecord) -> bool:
        """Return True if a record in front of it waits: perhaps for hours, so the quarantine must not wait for it."""
        front = item.queue[0]
        return front is not item and (front.waits or self._assignment.quarantine.runs_alone)

    def _blocked_by(self, item: InFlightRecord) -> Iterable[InFlightRecord]:
        """Return the waiting record and those behind it. Without suspects nobody asks for those behind it."""
        if self._assignment.quarantine.suspects and item.queue and item.queue[0] is item:
            return tuple(item.queue)
        return (item,)
