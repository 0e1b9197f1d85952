"""Parking in small seeded worlds: a window of ten records, a table that a crash tears, a disk that is full."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from pipeline.errors import KeyUnavailable, Unavailable
from pipeline.runtime.flows import in_flight, shares
from pipeline.runtime.flows.concurrent_loop import ConcurrentLoop
from pipeline.runtime.flows.stage import ConcurrentContext
from pipeline.runtime.parking import parking, window
from pipeline.runtime.parking.queue_rows import TABLE
from pipeline.runtime.tables.fencing import OffsetRange
from pipeline.runtime.tables.views import TableWrite
from pipeline.topics.records import Record
from tests.support.loop_stand_ins import TP0, FakeApp
from tests.unit.runtime.parking import test_parking as base

MANY_LIVES = 300
"""More than any world needs. A world that needs more stands still."""
KILLS = 40
"""Lives of which some end in the midst of a write."""


class Died(Exception):
    """The process is gone."""


class World:
    """Records, what was done with them, and the table that outlives each process."""

    def __init__(self, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rng = rng = random.Random(seed)
        size = rng.choice([10, 40, 100])
        monkeypatch.setattr(in_flight, "MAX_UNFINISHED", size)
        monkeypatch.setattr(window, "MAX_UNFINISHED", size)
        monkeypatch.setattr(in_flight, "MAX_TAKEN", 4 * size)
        monkeypatch.setattr(parking, "MAX_LOADED", size // 2)
        monkeypatch.setattr(parking, "LOAD_AT_ONCE", rng.choice([1, 4, 32]))
        monkeypatch.setattr(shares, "LITTLE", rng.choice([1, 3, 32]))
        self.records, self.numbers = base._mixed(rng, rng.choice([200, 400]))
        self.handled: dict[str, list[int]] = defaultdict(list)
        self.done: set[int] = set()
        self.lives = 0
        self._rates = [rng.random() * each for each in (0.05, 0.05, 0.03, 0.5)]
        self._writes_left = 0
        self._dead = False
        self.app = FakeApp(tables=[TABLE])
        if rng.random() < 0.3:
            self.app.parking_max_bytes = rng.choice([2_000, 20_000])
        self._apply = self.app.stores[TABLE].apply
        monkeypatch.setattr(self.app.stores[TABLE], "apply", self._tear)

    @property
    def over(self) -> bool:
        """True if all is done, and nothing is left in the table."""
        return len(self.done) == len(self.records) and not base._rows(self.app)

    def _tear(self, writes: Iterable[TableWrite], ranges: Mapping[int, OffsetRange]) -> None:
        """Store writes. At the moment of death only the first of them are on the changelog."""
        writes = list(writes)
        self._writes_left -= 1
        if self._writes_left == 0:
            self._apply(writes[: self.rng.randrange(len(writes) + 1)], ranges)
            self._dead = True
            raise Died
        self._apply(writes, ranges)

    async def work(self, record: Any, context: ConcurrentContext) -> list[Record]:
        waits, held, away, slow = self._rates
        kind = self.rng.random()
        if kind < waits:
            await context.wait(self.rng.choice([0.1, 5, 200]))
        elif kind < waits + held:
            raise KeyUnavailable("away", self.rng.choice([0.5, 30]), probing=self.rng.random() < 0.5)
        elif kind < waits + held + away:
            raise self.rng.choice([Unavailable("away"), TimeoutError()])
        elif kind < waits + held + away + slow:
            await asyncio.sleep(0.01)
        if record.offset in self.done:  # delivered again, as it may be: the effect is deduplicated by its id
            return []
        self.done.add(record.offset)
        self.handled[record.key.decode()].append(int(record.value.split()[1]))
        return base._copy(record)

    async def life(self, app: FakeApp) -> None:
        """One process: it is killed between two records, or in the midst of a write."""
        self.lives += 1
        self._dead = False
        position = app.assignment.positions.get(TP0, 0)
        app.assignment = type(app.assignment)()
        app.assignment.positions[TP0] = position
        kill_at = len(self.done) + self.rng.randrange(len(self.records) // 20, len(self.records) // 2)
        self._writes_left = self.rng.randrange(1, 60) if self.rng.random() < 0.5 and self.lives < KILLS else 0

        async def play(_: FakeApp, loop: ConcurrentLoop) -> None:
            loop.buffer.add(TP0, self.records[position:])
            await base.until(lambda: self._dead or self.over or kill_at <= len(self.done) < len(self.records))

        await base._during(app, base._stage(self.work, concurrency=self.rng.choice([1, 3, 10, 100])), play)


@pytest.mark.parametrize("seed", range(24))
def test_whatever_is_torn_or_full_nothing_is_lost_doubled_or_reordered(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash in the midst of a write, or a full disk, would cost a customer an answer, or mix the answers up."""
    monkeypatch.setattr(base, "VIRTUAL_HANG", 50_000.0)
    world = World(seed, monkeypatch)
    while not world.over:
        assert world.lives < MANY_LIVES
        base._run(world.life, app=world.app)
    assert {name: list(range(count)) for name, count in world.numbers.items()} == dict(world.handled)
