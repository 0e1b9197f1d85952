"""A world in which a process may die or freeze at any step, and what of it outlives the process.

A step is each moment before and after something durable or visible: a record published, a changelog written, a local
store, an offset, a step in Redis, a call to a provider. Who has died does none of them any more. Who is frozen goes on
where it was when it is thawed, with partitions that are another's by then, as a machine that was paused does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from faust.types import TP

from pipeline.errors import WorkerMustStop, WriterFenced
from pipeline.runtime.flows.breaker import OFF, Breaker
from pipeline.runtime.flows.chain_loop import ChainLoop
from pipeline.runtime.flows.concurrent_loop import ConcurrentLoop
from pipeline.runtime.flows.context import FlowContext
from pipeline.runtime.flows.fetch_buffer import FetchBuffer
from pipeline.runtime.flows.stage import ConcurrentStage, Stage
from pipeline.runtime.kafka.accumulator import RecordAccumulator
from pipeline.runtime.process.lease import MembershipLease
from pipeline.runtime.tables.fencing import OffsetRange, WriterFence
from pipeline.runtime.tables.tables import Tables
from pipeline.runtime.tables.views import TableRows, TableWrite
from pipeline.testing import TestRecord
from pipeline.testing.memory_flows import InMemoryAssignment, InMemoryPublisher, OutputList
from pipeline.topics.records import Output, Record
from tests.support.loop_stand_ins import FakeApp, Loop
from tests.support.waiting import HANG

Flows = Mapping[str, Stage | ConcurrentStage]
"""The stages of an app by their source topics."""


class Died(BaseException):
    """The process is gone: nobody catches it."""


@dataclass
class World:
    """What is durable, and who owns the partitions.

    Attributes:
        done: the group's position on each topic.
        changelog: the rows of the one table, in order.
    """

    logs: dict[str, list[TestRecord]] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    changelog: list[tuple[bytes, bytes]] = field(default_factory=list)
    owner: Process | None = None

    def log(self, topic: str) -> list[TestRecord]:
        return self.logs.setdefault(topic, [])

    def append(self, record: Record) -> None:
        """Published; who owns the partition gets it."""
        log = self.log(record.topic)
        log.append(TestRecord.of(record, len(log)))
        if self.owner is not None:
            self.owner.get(record.topic, log[-1:])

    def finished(self, topic: str) -> bool:
        return self.done.get(topic, 0) == len(self.log(topic))


class Process:
    """One life of a worker.

    Args:
        dies_at: the step at which it dies; 0 for none.
        freezes_at: the step at which it freezes until `thawed`; 0 for none.

    Attributes:
        steps: how many it has taken.
        stale: whether it waits for something that it can't get, since it is no owner any more.
        over: whether it has ended.
    """

    def __init__(self, world: World, dies_at: int = 0, freezes_at: int = 0) -> None:
        self.world = world
        self.steps = 0
        self.dead = False
        self.stale = False
        self.over = False
        self.frozen = asyncio.Event()
        self.thawed = asyncio.Event()
        self._dies_at = dies_at
        self._freezes_at = freezes_at
        self._loops: list[Loop] = []
        self._ends: list[Callable[[], Awaitable[object]]] = []
        world.owner = self

    def on_end(self, end: Callable[[], Awaitable[object]]) -> None:
        """To be called when it is over, dead or not."""
        self._ends.append(end)

    async def step(self) -> None:
        if self.steps + 1 == self._freezes_at or (self.frozen.is_set() and not self.thawed.is_set()):
            self.frozen.set()
            await self.thawed.wait()
        self.step_now()

    def step_now(self) -> None:
        """A step in which nothing is awaited, so that nobody freezes there."""
        self.steps += 1
        self.dead = self.dead or self.steps == self._dies_at
        if self.dead:
            raise Died

    def get(self, topic: str, records: Sequence[TestRecord]) -> None:
        for loop in self._loops:
            if loop.source == topic and records:
                loop.buffer.add(TP(topic, 0), list(records))

    @property
    def idle(self) -> bool:
        """Whether it has nothing left of what it was given, and does not stand still."""
        return not any(len(loop) for loop in self._loops) and (self.thawed.is_set() or not self.frozen.is_set())

    async def live(self, flows: Flows, table: str, until: Callable[[], bool]) -> None:
        """From its start to its death; or until it has found another owner, or `until` holds."""
        self._loops = self._made(flows, table)
        for source in flows:
            self.get(source, self.world.log(source)[self.world.done.get(source, 0) :])
        running = [asyncio.ensure_future(loop.run()) for loop in self._loops]
        resting = asyncio.ensure_future(_until(until))
        try:
            async with asyncio.timeout(HANG):
                await asyncio.wait([*running, resting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.over = True
            for each in (*running, resting):
                each.cancel()
            await asyncio.wait([*running, resting])
            for end in self._ends:
                await end()
        for each in running:
            _expect(None if each.cancelled() else each.exception())

    def _made(self, flows: Flows, table: str) -> list[Loop]:
        app = FakeApp(_Positions(self))
        app.tables = Tables({table: _Table(self)})
        return [self._loop(app.context(_Broker(self)), source, stage) for source, stage in flows.items()]

    @staticmethod
    def _loop(context: FlowContext, source: str, stage: Stage | ConcurrentStage) -> Loop:
        if isinstance(stage, ConcurrentStage):
            return ConcurrentLoop(context, source, FetchBuffer(), Breaker(OFF), stage)
        return ChainLoop(context, source, FetchBuffer(), Breaker(OFF), (stage,))


async def lives(world: World, start: Callable[[Process], Flows], table: str, deaths: Iterable[int]) -> list[Process]:
    """Process after process: one for each of `deaths`, and one that does not die; until the first source is done."""
    lived: list[Process] = []
    for dies_at in (*deaths, 0):
        process = Process(world, dies_at)
        flows = start(process)
        lived.append(process)
        await process.live(flows, table, partial(world.finished, next(iter(flows))))
        if not process.dead:
            break
    return lived


async def two_owners(world: World, start: Callable[[Process], Flows], table: str, freezes_at: int, after: int) -> bool:
    """One process freezes, another takes its place, and the first is thawed after `after` steps of the second.

    False, with nothing more done, where it came to its end before that step.
    """
    first = Process(world, freezes_at=freezes_at)
    flows = start(first)
    source = next(iter(flows))
    waking = asyncio.ensure_future(first.live(flows, table, lambda: first.idle or first.stale))
    await asyncio.wait([waking, asyncio.ensure_future(first.frozen.wait())], return_when=asyncio.FIRST_COMPLETED)
    if waking.done():
        await waking
        return False
    while not (world.finished(source) and waking.done()):
        second = Process(world)
        life = second.live(start(second), table, lambda: world.finished(source) and waking.done())
        thaw = asyncio.ensure_future(_thaw(first, partial(_has_taken, second, after)))
        await life
        thaw.cancel()
        after -= second.steps
    await waking
    return True


def _has_taken(process: Process, steps: int) -> bool:
    return process.steps >= steps or process.idle or process.stale


async def _thaw(process: Process, when: Callable[[], bool]) -> None:
    await _until(when)
    process.thawed.set()


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 (no one sets an event)
        await asyncio.sleep(0)


def _expect(error: BaseException | None) -> None:
    """A process may end by its death and by the crash rule, and by nothing else."""
    if isinstance(error, BaseExceptionGroup):
        _, error = error.split((Died, WorkerMustStop))
    if error is not None and not isinstance(error, Died | WorkerMustStop):
        raise error


class _Lease(MembershipLease):
    """A process that is no owner any more is not heard by its group, which is all that it can know."""

    def __init__(self, process: Process) -> None:
        super().__init__(0)
        self._process = process

    @property
    def valid(self) -> bool:
        self._process.stale = self._process.world.owner is not self._process
        return not self._process.stale


class _Positions(InMemoryAssignment):
    """The consumer: what a process commits counts while it owns the partitions."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self.lease = _Lease(process)
        self._process = process

    def mark_processed(self, tp: TP, position: int, epoch: int) -> None:
        process = self._process
        process.step_now()
        if process.world.owner is process:
            process.world.done[tp.topic] = position
            self.positions[tp] = position
            self.commit()
        process.step_now()


class _Broker(InMemoryPublisher):
    """The publisher."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self._process = process

    async def send(self, accumulator: RecordAccumulator) -> list[Output]:
        assert isinstance(accumulator, OutputList)
        await self._process.step()
        for record, _ in accumulator.outputs:
            self._process.world.append(record)
            await self._process.step()
        return []

    async def publish_changelog(
        self, topics: dict[str, str], writes: Sequence[TableWrite]
    ) -> dict[tuple[str, int], OffsetRange]:
        await self._process.step()
        log = self._process.world.changelog
        first = len(log)
        log += [(key, value) for _, _, key, value in writes]
        await self._process.step()
        return {
            (table, partition): OffsetRange(first, len(log) - 1, len(writes)) for table, partition, _, _ in writes[:1]
        }


class _Table:
    """A table's store, as it was recovered from the changelog. Asks, as the real one does, who else has written."""

    changelog = "changelog"

    def __init__(self, process: Process) -> None:
        self._process = process
        self._rows = dict(process.world.changelog)
        self._recovered = len(process.world.changelog) - 1
        self._fence = WriterFence()

    def partition(self, partition: int) -> TableRows:
        return self._rows

    def scan(self, _: int, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        return iter([(key, self._rows[key]) for key in sorted(self._rows) if key >= start])

    def apply(self, writes: Iterable[TableWrite], ranges: Mapping[int, OffsetRange]) -> None:
        self._process.step_now()
        if not self._fence.accepts(1, 0, ranges[0], self._recovered):
            raise WriterFenced("another worker writes to it")
        self._rows |= {key: value for _, _, key, value in writes}
        self._process.step_now()
