"""Concurrent work in order: one record at a time for each ordering key, and so many in all."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from faust.types import TP

from pipeline.runtime.flows.breaker import Breaker
from pipeline.runtime.flows.context import FlowContext
from pipeline.runtime.flows.fair_slots import FairSlots
from pipeline.runtime.flows.holds import Holds
from pipeline.runtime.flows.in_flight import InFlight, InFlightRecord
from pipeline.runtime.flows.stage import Parked, PartitionsRevoked

SHORT_WAIT: Final = 1.0
"""Seconds. A record that waits no longer than this, all of its waits together, keeps its place in the window."""
LONG_WAIT: Final = 30.0
"""Seconds after which a waiting record leaves the window even if nobody needs its place, so that its offset goes on."""


class KeyedExecutor:
    """Runs `work` for records: in order within a key, side by side across keys, with so many slots.

    Args:
        work: processes one record to its end. It raises `PartitionsRevoked` if the record will be delivered again.
        source: the flow's topic.
        slots: the concurrency slots.
        holds: keys of which nothing may be tried now.
        on_parked: called with the records of an ordering key that leave the window, in order.
        parks_groups: returns True if records of a partition may leave the window for what holds their group.
    """

    def __init__(
        self,
        context: FlowContext,
        source: str,
        breaker: Breaker,
        in_flight: InFlight,
        work: Callable[[InFlightRecord], Awaitable[None]],
        slots: FairSlots,
        holds: Holds,
        on_parked: Callable[[list[InFlightRecord]], object] = lambda _: None,
        parks_groups: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self._context = context
        self._assignment = context.assignment
        self._source = source
        self._breaker = breaker
        self._in_flight = in_flight
        self._work = work
        self._slots = slots
        self._holds = holds
        self._queues: dict[Hashable, deque[InFlightRecord]] = {}
        self._on_parked = on_parked
        self._parks_groups = parks_groups
        self._long_waits: defaultdict[TP, dict[InFlightRecord, None]] = defaultdict(dict)

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
            try:
                await self._work(queue[0])
            except Parked:
                leaving = list(queue)
                queue.clear()
                self._on_parked(leaving)
                break
            except PartitionsRevoked:
                pass
            queue.popleft()
        del self._queues[key]

    def park_waiting(self, tp: TP, longest: float = SHORT_WAIT, *, loaded: bool = False) -> None:
        """Let the records of a partition leave memory that wait for longer, with all behind them.

        Args:
            longest: seconds, at least `SHORT_WAIT`.
            loaded: True: room is needed for parked records, and those leave whose key is held. False: room is needed
                for records of the topic.
        """
        parks_groups = self._parks_groups(tp.partition)
        for front in self._long_waits[tp]:
            if front.waits_for_group and not parks_groups and front.parked is None:
                continue
            if loaded:
                leaves = front.parked is not None and self._holds.is_held(front.fair_key)
            else:
                leaves = _waits(front, longest) and any(item.parked is None for item in front.queue)
            if leaves:
                front.leave()

    # Slots

    async def acquire_slot(self, item: InFlightRecord) -> None:
        """Take a slot, once nothing holds the record's key. While another record must run alone, no slot is held."""
        # Others would wait with a record that runs alone, and one of them may be the first of the hold.
        is_alone = self._assignment.quarantine.parked.is_alone(item.tp, item.record.offset)
        if self._holds and self._holds.concern(item.fair_key) and not is_alone:
            with self._waiting(item, math.inf, for_group=self._holds.concern_group(item.fair_key[0])):
                await self._holds.wait(item.fair_key, item)
        await self._take_slot(item)

    async def _take_slot(self, item: InFlightRecord) -> None:
        quarantine = self._assignment.quarantine
        if item.parked is not None:
            is_current = partial(self._in_flight.is_current, item)
            await quarantine.parked.wait_until_alone(item.tp, item.record.offset, is_current)
        await self._slots.acquire(item.fair_key)
        item.has_slot = True
        while quarantine.must_wait(item.tp, item.record.offset) and self._in_flight.is_current(item):
            self.release_slot(item)
            await quarantine.may_run.wait()
            await self._slots.acquire(item.fair_key)
            item.has_slot = True

    def release_slot(self, item: InFlightRecord) -> None:
        """Give a record's slot back, if it has one."""
        if item.has_slot:
            item.has_slot = False
            self._slots.release(item.fair_key)

    def require_current(self, item: InFlightRecord) -> None:
        """Raise `PartitionsRevoked` if the record may not run here any more."""
        if not self._in_flight.is_current(item) or not self._context.accepting():
            raise PartitionsRevoked

    def got_through(self, item: InFlightRecord) -> None:
        """Note that a record got past what may hold its key or group: it persists what it is about to do."""
        self._holds.got_through(item.fair_key, item)

    # Waiting

    async def wait(self, item: InFlightRecord, seconds: float) -> None:
        """Wait in the middle of a record's work, without blocking a slot or a rebalance.

        It counts as a wait for something that the whole group shares, such as a permit.
        """
        self._in_flight.end(item)
        self.release_slot(item)
        self._holds.got_through(item.fair_key, item)
        try:
            await self.pause(item, seconds, for_group=True)
            await self._take_slot(item)  # no hold stops a record that has begun: it may have a permit by now
        finally:
            self._in_flight.begin(item)
        self.require_current(item)  # partitions may have moved while it waited for a slot

    async def pause(self, item: InFlightRecord, seconds: float, *, for_group: bool = False) -> None:
        """Wait for a record's next try. Raises `PartitionsRevoked` if partitions move first."""
        # Liveness: a record that is tried again in place is alive, and a restart would not help.
        self._assignment.liveness.record_attempt(item.tp, seconds)
        if self._breaker.open:  # the record is the probe, so all partitions wait for it
            self._assignment.liveness.record_topic_wait(self._source, seconds)
        with self._waiting(item, asyncio.get_running_loop().time() + seconds, for_group=for_group):
            if not await self._context.sleep(self._assignment.suspend_flow, seconds):
                raise PartitionsRevoked

    async def pause_until(self, item: InFlightRecord, time: float) -> None:
        """Wait on where a record that left the window stopped waiting, until a time of the event loop."""
        if (seconds := time - asyncio.get_running_loop().time()) > 0:
            await self.pause(item, seconds)

    @contextmanager
    def _waiting(self, item: InFlightRecord, until: float, *, for_group: bool) -> Iterator[None]:
        """Note that a record waits, and that it may leave the window. Raises `Parked` if it does."""
        item.waits, item.wakes_at, item.task = True, until, asyncio.current_task()
        item.waits_for_group = for_group
        item.waited_since = min(item.waited_since, asyncio.get_running_loop().time())
        for each in self._blocked_by(item):
            self._in_flight.mark_survived(each)
        if _waits(item, SHORT_WAIT):
            self._long_waits[item.tp][item] = None
        try:
            yield
        except asyncio.CancelledError:
            if not item.leaves:
                raise
        finally:
            item.wakes_at = -math.inf
            self._long_waits[item.tp].pop(item, None)
        if item.leaves:
            item.resumes_at = -math.inf if math.isinf(until) else until
            if item.task is not None:
                item.task.uncancel()
            raise Parked
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


def _waits(item: InFlightRecord, longest: float) -> bool:
    """Return True if a record waits, and will have waited for longer than `longest` seconds in all."""
    return item.wakes_at - item.waited_since > longest
