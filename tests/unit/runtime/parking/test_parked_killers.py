"""Parked records that end their process: the real loop, quarantine and table, processes that die, time of its own."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import pytest
from faust.types import TP

from pipeline.backoff import RetryPauses
from pipeline.errors import KeyUnavailable
from pipeline.runtime.flows.dead_letters import is_dead_letter
from pipeline.runtime.flows.fairness import Fairness
from pipeline.runtime.flows.in_flight import InFlightRecord
from pipeline.runtime.flows.stage import ConcurrentContext, ConcurrentStage
from pipeline.runtime.parking.queue_rows import TABLE
from pipeline.runtime.parking.rows import queue_digest
from pipeline.runtime.quarantine import quarantine
from pipeline.runtime.quarantine.crash_marker import CrashHint
from pipeline.runtime.quarantine.exclusive import ProcessExclusivity
from pipeline.runtime.quarantine.parked_gate import FIRST_ALONE, Alone
from pipeline.runtime.quarantine.suspects import DEATHS, LIVES, SPARED
from pipeline.testing import TestRecord
from pipeline.testing.memory_flows import InMemoryAssignment
from pipeline.testing.own_time import OwnTime
from pipeline.topics.records import Record
from tests.support.loop_stand_ins import TP0, FakeApp

Place = tuple[int, int]
"""Partition and offset."""
TICK = 0.01
LONGEST_LIFE = 200.0
"""Seconds of a process in which nothing happens any more."""
BUSY = 3.0
"""Seconds from its start in which a process commits often."""
AWAY = 20.0
"""Seconds for which a key is away, told of it again and again."""


class Died(BaseException):
    """The process is gone."""


@dataclass
class World:
    """Partitions in a broker, parked records in a changelog.

    Attributes:
        parked: number of records of each partition that are parked before the first process that may work on them.
        fresh: number of records of each partition that arrive after that.
        lanes: number of keys of each partition.
        away: keys that are away at first in each life.
        slow: records that take a while, in which others are committed.
        stops: of a life's number, the seconds after which it is told to end, and ends in order.
        kills: the same, killed from outside.
        hints: False: no process knows of which record the last one died.
        in_decode: True: killers end their process while they are decoded, and no hint names them.
    """

    parked: list[int]
    fresh: list[int]
    lanes: int
    killers: set[Place] = field(default_factory=set)
    away: set[Place] = field(default_factory=set)
    slow: set[Place] = field(default_factory=set)
    stops: dict[int, float] = field(default_factory=dict)
    kills: dict[int, float] = field(default_factory=dict)
    hints: bool = True
    in_decode: bool = False

    closed: bool = True
    notes: dict[TP, tuple[int | None, str]] = field(init=False)
    logs: dict[TP, list[TestRecord]] = field(init=False)
    rows: dict[int, dict[bytes, bytes]] = field(default_factory=dict)
    hint: CrashHint | None = None
    ends: list[Place] = field(default_factory=list)
    done: list[tuple[Place, bool]] = field(default_factory=list)
    ran_with: list[set[Place]] = field(default_factory=list)
    deaths: int = 0
    lives: int = -1

    def __post_init__(self) -> None:
        self.notes = dict.fromkeys((TP("in", part) for part in range(len(self.parked))), (None, ""))
        self.logs = self._fill()
        self.live()
        assert len([key for rows in self.rows.values() for key in rows if key[:1] == b"r"]) == sum(self.parked)
        self.closed, self.deaths = False, 0
        self.logs = self._fill()

    def _fill(self) -> dict[TP, list[TestRecord]]:
        """Return the topic. Fresh records are in it once the others are parked."""
        sizes = self.parked if self.closed else [sum(pair) for pair in zip(self.parked, self.fresh, strict=True)]
        return {TP("in", part): [self._record(part, n) for n in range(size)] for part, size in enumerate(sizes)}

    def _record(self, part: int, offset: int) -> TestRecord:
        value, key = f"{part}-{offset}", f"{part}-{offset % self.lanes}"
        return TestRecord(value.encode(), key.encode(), topic="in", partition=part, offset=offset)

    @property
    def places(self) -> set[Place]:
        return {_place(record.value or b"") for log in self.logs.values() for record in log}

    def lane(self, place: Place) -> Place:
        return place[0], place[1] % self.lanes

    @property
    def handled(self) -> set[Place]:
        return {place for place, dead in self.done if not dead}

    @property
    def given_up(self) -> list[Place]:
        return [place for place, dead in self.done if dead]

    @property
    def over(self) -> bool:
        """True if everything is done, and nothing is left of it in the table or the notes."""
        ends = {tp: (len(log) or None, "") for tp, log in self.logs.items()}
        return self.notes == ends and not any(self.rows.values())

    @property
    def bound(self) -> int:
        """Lives: the last, and those that each killer and each end from outside can cost at most.

        A fresh killer costs more than a parked one, which is not halved. See `World.bound` of the lanes' test.
        """
        halvings = math.ceil(math.log2(max(map(len, self.logs.values()), default=1) or 1)) + 1
        each = LIVES + SPARED + halvings * (1 + SPARED) + DEATHS
        return 1 + len(self.killers) * (each + SPARED) + (len(self.stops) + len(self.kills)) * (1 + each)

    def live(self) -> None:
        Life(self).run()
        self.lives += 1

    def live_on(self, lives: int) -> None:
        while not self.over and self.lives < lives:
            self.live()

    def require_right_end(self) -> None:
        """Require that all killers are dead letters, nothing else is, and each key's records came in order.

        A dead letter may come before records in front of it: it is written without being run.
        """
        assert self.over, (self.notes, self.rows)
        assert set(self.given_up) == self.killers
        assert self.handled == self.places - self.killers
        done = list(dict.fromkeys(self.done))
        for lane in {self.lane(place) for place in self.places}:
            handled = [place for place, dead in done if self.lane(place) == lane and not dead]
            assert handled == sorted(handled)
        for n, (place, dead) in enumerate(done):
            in_front = {killer for killer in self.killers if self.lane(killer) == self.lane(place) and killer < place}
            assert dead or in_front <= {killer for killer, _ in done[:n]}, "it ran before a dead letter in front of it"


def _place(value: bytes) -> Place:
    part, offset = value.split(b"-")
    return int(part), int(offset)


class Life(InMemoryAssignment):
    """One process."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.alive = world, True
        self.assigned = {tp.partition for tp in world.notes}
        self.positions = {tp: at for tp, (at, _) in world.notes.items() if at is not None}
        self.running: set[Place] = set()

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
        world, self.app = self.world, FakeApp(self, tables=[TABLE])
        for partition, rows in world.rows.items():
            self.app.stores[TABLE].partition(partition).update(rows)
        self.quarantine = quarantine.Quarantine("life", self, ProcessExclusivity(), lambda: self._loop.quiet)
        fairness = Fairness(key=lambda record: (record.key.decode(), record.key.decode()))
        pauses = RetryPauses(io_errors=(40.0,) * 50)
        stage = ConcurrentStage(
            "slow", self._work, self._decode, lambda r: r.key, fairness=fairness, retries=lambda _: pauses
        )
        self._loop = self.app.concurrent(stage)
        self.buffers["in"] = self._loop.buffer
        self._loop.buffer.gate = self.quarantine
        self._take_over()
        tasks = [asyncio.ensure_future(t) for t in (self._loop.run(), self.quarantine.run(), self._tick())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self.die()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, BaseExceptionGroup):
                await task

    def _take_over(self) -> None:
        world = self.world
        self.quarantine.inherit(world.notes, {tp: len(log) for tp, log in world.logs.items()}, world.hint)
        world.hint = None
        for tp, log in world.logs.items():
            self._loop.buffer.add(tp, log[world.notes[tp][0] or 0 :])
            self.quarantine.mark_buffered(tp, len(log))

    async def _tick(self) -> None:
        """Commit now and then, until all is over or an end from outside."""
        loop, world = asyncio.get_running_loop(), self.world
        stop, kill = world.stops.get(world.lives, math.inf), world.kills.get(world.lives, math.inf)
        while loop.time() < min(stop, kill, LONGEST_LIFE) and not self._is_over:
            await asyncio.sleep(TICK if loop.time() < BUSY else 1.0)
            await self.commit_notes()
        if loop.time() >= stop or world.closed:
            self.quarantine.rest(ending=True)
            await self.commit_notes()

    @property
    def _is_over(self) -> bool:
        self._keep()
        if self.world.closed:
            parked = [key for rows in self.world.rows.values() for key in rows if key[:1] == b"r"]
            return len(parked) == sum(self.world.parked) and all(
                self.world.notes[tp][0] == len(log) for tp, log in self.world.logs.items() if log
            )
        return self.world.over

    def _keep(self) -> None:
        """Keep what is durable."""
        if self.alive:
            outputs = self.app.publisher.outputs
            self.world.done += [(_place(record.value), is_dead_letter(record)) for record, _ in outputs]
            outputs.clear()
            store = self.app.stores[TABLE]
            self.world.rows = {part: dict(store.partition(part)) for part in self.assigned}

    def die(self, place: Place | None = None) -> None:
        if self.alive:
            self._keep()
            self.alive = False
            known = place is not None and self.world.hints and not self.world.in_decode
            self.world.hint = self._hint(place) if place is not None and known else None

    def _hint(self, place: Place) -> CrashHint:
        again = place in self.world.ends
        self.world.ends.append(place)
        return CrashHint(place[1], place[0], crc32(b"in"), again)

    def _decode(self, record: Any) -> Any:
        place, world = _place(record.value), self.world
        if world.in_decode and not world.closed and place in world.killers:
            self._kill(place)
        return record

    def _kill(self, place: Place) -> None:
        self.world.ran_with.append({*self.running, place})
        self.world.deaths += self.alive
        self.die(place)
        raise Died

    async def _work(self, record: Any, context: ConcurrentContext) -> list[Record]:
        place, world = _place(record.value), self.world
        if world.closed:
            raise KeyUnavailable("closed", 600)
        if world.lane(place) in world.away and asyncio.get_running_loop().time() < AWAY:
            raise TimeoutError if place[1] % 2 else KeyUnavailable("away", 5)
        self.running.add(place)
        if place in world.slow:
            await asyncio.sleep(3 * TICK)
        if place in world.killers:
            self._kill(place)
        await asyncio.sleep(TICK)
        self.running.discard(place)
        return await _copy(record, context)


@contextmanager
def _time_of(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Make the quarantine's clock the loop's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quarantine, "time", SimpleNamespace(monotonic=loop.time))
        yield


@pytest.mark.parametrize(("hints", "deaths"), [(True, 1 + DEATHS), (False, LIVES + DEATHS)])
def test_a_parked_record_that_ends_its_process_becomes_a_dead_letter(hints: bool, deaths: int) -> None:
    """A worker would die of it in every life for ever, and take all of its partitions along."""
    world = World([40, 10], [20, 10], 3, {(0, 4)}, hints=hints)
    world.live_on(20)
    world.require_right_end()
    assert world.deaths == deaths
    assert all(together == {(0, 4)} for together in world.ran_with[-DEATHS:]), "a death counted that was not alone"


@pytest.mark.parametrize("hints", [True, False])
def test_two_parked_killers_become_dead_letters(hints: bool) -> None:
    """The second one's deaths would have those of the first forgotten, and so on for ever."""
    world = World([30], [5], 3, {(0, 4), (0, 8)}, hints=hints)
    world.live_on(20)
    world.require_right_end()
    assert world.deaths <= 2 * (LIVES + DEATHS)


@pytest.mark.parametrize("hints", [True, False])
def test_a_parked_killer_whose_key_is_away_stops_no_other(hints: bool) -> None:
    """All of a worker would stand still for as long as an account is away."""
    world = World([12], [6], 3, {(0, 4)}, away={(0, 1)}, hints=hints)
    world.live()
    assert world.handled >= {place for place in world.places if world.lane(place) != (0, 1)}
    assert world.deaths == 1, "the killer has not run yet"
    world.live_on(20)
    world.require_right_end()


def test_a_parked_record_that_ends_its_process_while_it_is_decoded_becomes_a_dead_letter() -> None:
    """No note names it, and one that runs alone would be blamed if others were loaded meanwhile."""
    world = World([9], [0], 3, {(0, 4)}, slow={(0, n) for n in range(9)}, in_decode=True)
    world.live_on(20)
    world.require_right_end()


def test_a_fresh_killer_is_blamed_on_no_parked_record_that_has_run_alone_before() -> None:
    """A message that waits for its account would become a dead letter in place of the one that ends the process."""
    world = World([1], [1], 2, {(0, 1)}, away={(0, 0)}, hints=False)
    world.live_on(20)
    world.require_right_end()


def test_a_hold_that_begins_too_late_does_not_stop_a_record_that_runs_alone() -> None:
    """The whole process would wait for it, and it for another one that may not run before it."""

    async def play() -> None:
        app = FakeApp(tables=[TABLE])
        stage = ConcurrentStage(
            "slow", _copy, lambda r: r, lambda r: r.key, fairness=Fairness(key=lambda _: ("g", "k"))
        )
        loop = app.concurrent(stage)
        loop._holds.hold("g", 600, probing=True)
        app.assignment.quarantine.parked.alone = Alone(TP0, 0)
        item = InFlightRecord(TP0, TestRecord(b"", b"", topic="in", offset=0), 1, fair_key=("g", "k"), parked=object())
        await loop._executor.acquire_slot(item)
        assert asyncio.get_running_loop().time() < 600

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(play())


async def _copy(record: Any, _: ConcurrentContext) -> list[Record]:
    return [Record("out", record.key, record.value)]


def test_a_regular_stop_blames_no_parked_record() -> None:
    """Messages would become dead letters because a worker was deployed often."""
    world = World([12], [0], 3, slow={(0, n) for n in range(12)}, hints=False)
    world.stops = dict.fromkeys(range(20), 0.02)
    world.live_on(8)
    assert '"' not in world.notes[TP("in", 0)][1]
    world.stops.clear()
    world.live_on(20)
    world.require_right_end()


def test_kills_from_outside_blame_no_parked_record() -> None:
    """A node that loses power again and again would turn messages into dead letters."""
    world = World([12], [6], 3, hints=False)
    world.kills = {life: 0.05 * (1 + life % 3) for life in range(20)}
    world.live_on(30)
    world.require_right_end()


def test_records_that_were_survived_leave_no_note() -> None:
    """Each restart would load parked records one by one, long after the killer is gone."""
    world = World([8], [0], 2, {(0, 3)}, hints=False)
    world.live_on(20)
    assert world.notes[TP("in", 0)] == (8, "")


def _world(seed: int) -> World:
    rng = random.Random(seed)
    partitions = rng.randint(1, 2)
    parked = [rng.randint(0, rng.choice([2, 8])) for _ in range(partitions)]
    fresh = [rng.randint(0, rng.choice([0, 2, 6])) for _ in range(partitions)]
    places = [(part, n) for part in range(partitions) for n in range(parked[part] + fresh[part])]
    lanes = rng.randint(1, 4)

    def some() -> set[Place]:
        return set(rng.sample(places, min(len(places), rng.randint(0, 2))))

    def ends() -> dict[int, float]:
        return {rng.randint(0, 8): rng.choice([0.005, 0.02, 0.1, 1.5]) for _ in range(rng.choice([0, 0, 1, 2]))}

    away = {(part, n % lanes) for part, n in some()} if rng.random() < 0.4 else set()
    hints, in_decode = rng.random() < 0.5, rng.random() < 0.3
    return World(
        parked, fresh, lanes, some(), away, some(), stops=ends(), kills=ends(), hints=hints, in_decode=in_decode
    )


@pytest.mark.parametrize("seed", range(80))
def test_killers_among_parked_and_fresh_records_become_dead_letters(seed: int) -> None:
    """A process would die again and again of a message that is never given up, or one would be lost for another."""
    world = _world(seed)
    world.live_on(world.bound)
    world.require_right_end()


def test_the_killers_of_a_world_are_counted() -> None:
    """A test that kills nothing would pass."""
    world = World([3], [0], 1, {(0, 0)})
    world.live()
    assert (world.deaths, Counter(world.given_up)) == (1, Counter())


def test_a_killer_behind_many_that_only_wait_is_found() -> None:
    """Forty accounts that are away would hide it: its worker would die in every life, and nobody would learn why."""
    lanes = FIRST_ALONE + 9
    last = max(range(lanes), key=lambda lane: queue_digest("in", (f"0-{lane}", f"0-{lane}")))
    away = {(0, lane) for lane in range(lanes) if lane != last}
    world = World([lanes], [0], lanes, {(0, last)}, away=away, hints=False)
    world.live_on(LIVES + DEATHS + 2)
    assert world.over
    assert world.deaths <= LIVES + DEATHS
    assert world.given_up == [(0, last)]
