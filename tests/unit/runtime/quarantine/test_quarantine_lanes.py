"""Records that end their process among lanes, waiting records and hints: real loop and quarantine, time of its own."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import pytest
from faust.types import TP
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.errors import RetryAfter
from pipeline.runtime.flows.stage import ConcurrentContext, ConcurrentStage
from pipeline.runtime.quarantine import quarantine
from pipeline.runtime.quarantine.crash_marker import CrashHint
from pipeline.runtime.quarantine.exclusive import ProcessExclusivity
from pipeline.runtime.quarantine.suspects import DEATHS, LIVES, SPARED
from pipeline.testing import TestRecord
from pipeline.testing.memory_flows import InMemoryAssignment
from pipeline.testing.own_time import OwnTime
from pipeline.topics.records import Record
from tests.support.loop_stand_ins import FakeApp

Place = tuple[int, int]
"""Partition and offset."""
FOR_EVER = 1_000_000
TICK = 0.01
LONGEST_LIFE = 60.0
"""Seconds of a process in which nothing happens any more."""


class Died(BaseException):
    """The process is gone."""


@dataclass
class World:
    """Partitions in a broker, and records as they are.

    Attributes:
        waits: how many tries of a record ask for another one.
        per_life: whether every process counts these tries anew.
        slow: records that take a while, in which others are committed.
        kills: of a life's number, the seconds after which it is ended from outside.
        hints: "": no process knows of which record it died; "right"; "same": each names `innocent`.
    """

    sizes: list[int]
    lanes: int
    killers: set[Place] = field(default_factory=set)
    waits: dict[Place, int] = field(default_factory=dict)
    per_life: bool = False
    slow: set[Place] = field(default_factory=set)
    kills: dict[int, float] = field(default_factory=dict)
    hints: str = ""
    innocent: Place = (0, 0)
    delay: float = 0.001

    notes: dict[TP, tuple[int | None, str]] = field(init=False)
    logs: dict[TP, list[Any]] = field(init=False)
    hint: CrashHint | None = None
    ends: list[Place] = field(default_factory=list)
    tries: Counter[Place] = field(default_factory=Counter)
    handled: list[Place] = field(default_factory=list)
    given_up: list[Place] = field(default_factory=list)
    lives: int = 0

    def __post_init__(self) -> None:
        self.logs = {TP("in", p): [_record(p, n) for n in range(size)] for p, size in enumerate(self.sizes)}
        self.notes = dict.fromkeys(self.logs, (None, ""))

    @property
    def places(self) -> set[Place]:
        return {(p, n) for p, size in enumerate(self.sizes) for n in range(size)}

    def lane(self, place: Place) -> tuple[int, int]:
        return place[0], place[1] % self.lanes

    def behind_for_ever(self, place: Place) -> bool:
        return any(
            count == FOR_EVER and self.lane(other) == self.lane(place) and other[1] <= place[1]
            for other, count in self.waits.items()
        )

    @property
    def reachable(self) -> set[Place]:
        return {place for place in self.places if not self.behind_for_ever(place)}

    @property
    def over(self) -> bool:
        return (
            set(self.handled) >= self.reachable - self.killers and set(self.given_up) >= self.reachable & self.killers
        )

    @property
    def hides_killers(self) -> bool:
        """True if a killer runs in no life before one of its lane has waited: such a one is not found."""
        return self.per_life and any(
            self.lane(waiting) == self.lane(killer) and waiting[1] < killer[1]
            for waiting, count in self.waits.items()
            for killer in self.killers
            if count != FOR_EVER
        )

    @property
    def bound(self) -> int:
        """Lives: the last, and those that each killer and each end from outside can cost at most.

        A killer costs those that make its partition suspect, halvings, and its own. Before each of the first two a
        hint at another partition spares it a few times. An end from outside costs itself, and has all that in vain.
        """
        spared = SPARED if self.hints == "same" else 0
        halvings = math.ceil(math.log2(max(self.sizes))) + 1
        found = LIVES + spared + halvings * (1 + spared) + DEATHS
        return 1 + len(self.killers) * (found + SPARED) + len(self.kills) * (1 + found)

    def live(self) -> None:
        Life(self).run()
        self.lives += 1


def _record(part: int, offset: int) -> TestRecord:
    value = f"{part}-{offset}".encode()
    return TestRecord(value, value, topic="in", partition=part, offset=offset)


def _place(value: bytes) -> Place:
    part, offset = value.split(b"-")
    return int(part), int(offset)


class Life(InMemoryAssignment):
    """One process."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.alive = world, True

    async def commit_notes(self) -> bool:
        await asyncio.sleep(0)
        if self.alive:
            notes = self.world.notes
            moved = {tp: at for tp, at in self.positions.items() if at != notes[tp][0]}
            for tp, offset in self.quarantine.begin_commit(moved).items():
                notes[tp] = offset, self.quarantine.notes[tp]
            self.quarantine.finish_commit()
        return True

    def run(self) -> None:
        with asyncio.Runner(loop_factory=OwnTime) as runner, _time_of(runner.get_loop()):
            runner.run(self._main())

    async def _main(self) -> None:
        world, self.app = self.world, FakeApp(self)
        self.quarantine = quarantine.Quarantine("life", self, ProcessExclusivity(), lambda: self._loop.quiet)
        self.counted = Counter[Place]() if world.per_life else world.tries
        stage = ConcurrentStage("slow", self._work, lambda r: r, lambda r: world.lane(_place(r.value)))
        self._loop = self.app.concurrent(stage)
        self.buffers["in"] = self._loop.buffer
        self._loop.buffer.gate = self.quarantine
        self.quarantine.inherit(world.notes, {tp: len(log) for tp, log in world.logs.items()}, world.hint)
        world.hint = None
        for tp, log in world.logs.items():
            self._loop.buffer.add(tp, log[world.notes[tp][0] or 0 :])
            self.quarantine.mark_buffered(tp, len(log))
        tasks = [asyncio.ensure_future(t) for t in (self._loop.run(), self.quarantine.run(), self._tick())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self._die()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, BaseExceptionGroup):
                await task

    async def _tick(self) -> None:
        """Commits now and then, until all is over or an end from outside."""
        loop = asyncio.get_running_loop()
        limit = self.world.kills.get(self.world.lives, LONGEST_LIFE)
        while loop.time() < limit and not self._over:
            await asyncio.sleep(TICK)
            await self.commit_notes()

    @property
    def _over(self) -> bool:
        self._gather()
        return self.world.over

    def _gather(self) -> None:
        if self.alive:
            sink = self.app.publisher
            self.world.handled += map(_place, sink.published)
            self.world.given_up += map(_place, sink.letters)
            sink.published.clear()
            sink.letters.clear()

    def _die(self, place: Place | None = None) -> None:
        if self.alive:
            self._gather()
            self.alive = False
            self.world.hint = self._hint(place)

    def _hint(self, place: Place | None) -> CrashHint | None:
        named = {"": None, "right": place, "same": self.world.innocent}[self.world.hints]
        if named is None:
            return None
        again = named in self.world.ends
        self.world.ends.append(named)
        return CrashHint(named[1], named[0], crc32(b"in"), again)

    async def _work(self, record: Any, _: ConcurrentContext) -> list[Record]:
        place = _place(record.value)
        if self.counted[place] < self.world.waits.get(place, 0):
            self.counted[place] += 1
            raise RetryAfter("later", 3600 if self.world.waits[place] == FOR_EVER else self.world.delay)
        if place in self.world.slow:
            await asyncio.sleep(3 * TICK)
        if place in self.world.killers:
            self._die(place)
            raise Died
        return [Record("out", record.key, record.value)]


@contextmanager
def _time_of(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """The quarantine's clock is the loop's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quarantine, "time", SimpleNamespace(monotonic=loop.time))
        yield


@st.composite
def _worlds(draw: st.DrawFn) -> World:
    sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=3).filter(lambda sizes: sum(sizes) <= 12))
    places = st.sampled_from([(p, n) for p, size in enumerate(sizes) for n in range(size)])
    killers = draw(st.sets(places, max_size=2))
    waits = draw(st.dictionaries(places, st.sampled_from([1, 2, 3, FOR_EVER]), max_size=3))
    return World(
        sizes,
        draw(st.integers(1, 3)),
        killers,
        {place: count for place, count in waits.items() if place not in killers},
        per_life=draw(st.booleans()),
        slow=draw(st.sets(places, max_size=3)),
        kills=draw(st.dictionaries(st.integers(0, 12), st.sampled_from([0.005, 0.02, 0.1, 1.5]), max_size=2)),
        hints=draw(st.sampled_from(["", "right", "same"])),
        innocent=draw(places),
        delay=draw(st.sampled_from([0.001, 0.3])),
    )


@settings(max_examples=150, derandomize=True)
@given(_worlds())
def test_killers_among_lanes_and_waiting_records_become_dead_letters(world: World) -> None:
    """A process would die again and again of a message that is never given up, or one would be lost for another."""
    assume(not world.hides_killers)
    while not world.over and world.lives < world.bound:
        world.live()
    assert world.over
    assert set(world.given_up) == world.reachable & world.killers
    assert set(world.handled) == world.reachable - world.killers
    for lane in {world.lane(place) for place in world.places}:
        first = [place for place in dict.fromkeys(world.handled) if world.lane(place) == lane]
        assert first == sorted(first)


def test_a_hint_that_names_an_innocent_each_time_hides_no_killer() -> None:
    """A partition that is suspected again and again would have another one's deaths forgotten each time."""
    world = World([1, 2, 3], 2, {(2, 1)}, {(1, 1): FOR_EVER}, slow={(1, 1), (2, 0), (2, 1)}, hints="same")
    world.innocent = (1, 0)
    while not world.over and world.lives < world.bound:
        world.live()
    assert world.given_up == [(2, 1)]


def test_two_killers_behind_a_record_that_waits_become_dead_letters() -> None:
    """The second one's deaths would have the verdict on the first forgotten, and so on for as long as it waits."""
    world = World([4], 2, {(0, 1), (0, 3)}, {(0, 0): FOR_EVER})
    while not world.over and world.lives < world.bound:
        world.live()
    assert set(world.given_up) == {(0, 1), (0, 3)}


def test_a_killer_in_front_of_one_that_died_alone_ends_a_search_behind_a_record_that_waits() -> None:
    """The two would keep each other from running alone in every life, for as long as the record in front waits."""
    world = World([6], 3, {(0, 3), (0, 5)}, {(0, 1): FOR_EVER})
    (tp,) = world.notes
    world.notes[tp] = 1, '[1,0,[4,5,6],"window",5,2]'
    world.handled = [(0, 0)]
    while not world.over and world.lives < 2 * world.bound:
        world.live()
    assert set(world.given_up) == {(0, 3), (0, 5)}
