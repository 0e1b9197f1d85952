"""A world in which a process may die or freeze at any step, and what of it outlives the process.

A step is each moment before and after something durable or visible: a record published, a changelog written, a local
store, an offset, a step in Redis, a call to a provider. Who has died does none of them any more. Who is frozen goes on
where it was when it is thawed, with partitions that are another's by then, as a machine that was paused does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from faust.types import TP

from pipeline.errors import Unacknowledged
from pipeline.runtime.flows.breaker import OFF, Breaker
from pipeline.runtime.flows.chain import Chain, Output
from pipeline.runtime.flows.chain_loop import ChainLoop
from pipeline.runtime.flows.concurrent_loop import ConcurrentLoop
from pipeline.runtime.flows.stage import ConcurrentStage, Stage
from pipeline.runtime.process.lease import Lease
from pipeline.runtime.tables.fencing import SoleWriter, Span
from pipeline.runtime.tables.views import Mark
from pipeline.testing import TestRecord
from pipeline.topics.records import Record
from tests.support.loop_stand_ins import App, Drafted, Group
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
        self._loops: list[ChainLoop | ConcurrentLoop] = []
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
                loop.backlog.add(TP(topic, 0), list(records))

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

    def _made(self, flows: Flows, table: str) -> list[ChainLoop | ConcurrentLoop]:
        app: Any = App()
        app.list_consumer, app.publisher = _Positions(self), _Broker(self)
        app.table_stores[table] = _Table(self)
        return [self._loop(app, source, stage, table) for source, stage in flows.items()]

    @staticmethod
    def _loop(app: Any, source: str, stage: Stage | ConcurrentStage, table: str) -> ChainLoop | ConcurrentLoop:
        if isinstance(stage, ConcurrentStage):
            return ConcurrentLoop(app, source, stage, Breaker(OFF))
        rows = app.table_stores[table]
        chain = Chain(
            (stage,), tables=[table], stores=lambda *_: rows.partition(0), pending=app.pending, retries=app.retries
        )
        return ChainLoop(app, source, chain, Breaker(OFF))


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
        _, error = error.split((Died, Unacknowledged))
    if error is not None and not isinstance(error, Died | Unacknowledged):
        raise error


class _Lease(Lease):
    """A process that is no owner any more is not heard by its group, which is all that it can know."""

    def __init__(self, process: Process) -> None:
        super().__init__(0)
        self._process = process

    @property
    def valid(self) -> bool:
        self._process.stale = self._process.world.owner is not self._process
        return not self._process.stale


class _Positions(Group):
    """The consumer: what a process commits counts while it owns the partitions."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self.lease = _Lease(process)
        self._process = process

    def done(self, tp: TP, position: int, epoch: int) -> None:
        process = self._process
        process.step_now()
        if process.world.owner is process:
            process.world.done[tp.topic] = position
            self.positions[tp] = position
            self.commit()
        process.step_now()


class _Broker:
    """The publisher."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def watch(self, _: Iterable[str]) -> None:
        """Every topic is there."""

    def draft(self, outputs: Iterable[Output] = ()) -> Drafted:
        return Drafted(outputs)

    async def send(self, draft: list[Output]) -> list[Output]:
        await self._process.step()
        for record, _ in draft:
            self._process.world.append(record)
            await self._process.step()
        return []

    async def changelog(self, _: Mapping[str, str], marks: Sequence[Mark]) -> dict[tuple[str, int], Span]:
        await self._process.step()
        log = self._process.world.changelog
        first = len(log)
        log += [(key, value) for _, _, key, value in marks]
        await self._process.step()
        return {(table, partition): Span(first, len(log) - 1, len(marks)) for table, partition, _, _ in marks[:1]}


class _Table:
    """A table's store, as it was recovered from the changelog. Asks, as the real one does, who else has written."""

    changelog = "changelog"

    def __init__(self, process: Process) -> None:
        self._process = process
        self._rows = dict(process.world.changelog)
        self._recovered = len(process.world.changelog) - 1
        self._writer = SoleWriter()

    def partition(self, _: int) -> Mapping[bytes, bytes]:
        return self._rows

    def apply(self, marks: Iterable[Mark], spans: Mapping[int, Span]) -> None:
        self._process.step_now()
        if not self._writer.wrote(1, 0, spans[0], self._recovered):
            raise Unacknowledged("another worker writes to it")
        self._rows |= {key: value for _, _, key, value in marks}
        self._process.step_now()
