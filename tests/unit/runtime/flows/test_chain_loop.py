"""The loop of a chain while partitions move and what was tried must be tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest
from faust.types import TP

from pipeline.errors import RetryAfter
from pipeline.runtime.flows.chain_loop import DECODE_CHUNK, MAX_PENDING_COMMITS, ChainLoop
from pipeline.runtime.flows.stage import Stage, StageContext
from pipeline.runtime.process.liveness import Liveness, PartitionPosition
from pipeline.testing import TestRecord
from pipeline.topics.records import Record
from tests.support.loop_stand_ins import TP0, FakeApp, record, until
from tests.support.waiting import HANG

TP1 = TP("in", 1)
Play = Callable[[FakeApp, ChainLoop], Coroutine[Any, Any, None]]


class Door:
    """A stage that remembers what it has seen, and lets nobody through who is held back."""

    def __init__(self) -> None:
        self.held_back: set[bytes] = set()
        self.tried: list[bytes] = []

    def __call__(self, found: Any, context: StageContext) -> Iterable[Record]:
        self.tried.append(found.value)
        if found.value in self.held_back:
            raise RetryAfter("not yet", 0.001)
        seen = context.table("seen")
        if seen.get(found.value.decode()) is not None:
            return ()
        seen.put(found.value.decode(), b"1")
        return (Record("out", found.key, found.value),)


def _play(door: Door, play: Play) -> None:
    async def run() -> None:
        app = FakeApp(tables=["seen"])
        loop = app.chained([Stage("door", door)])
        running = asyncio.ensure_future(loop.run())
        try:
            async with asyncio.timeout(HANG):
                await play(app, loop)
        finally:
            running.cancel()
            await asyncio.wait([running])

    asyncio.run(run())


def test_what_was_in_hand_when_partitions_moved_goes_through_when_it_comes_again() -> None:
    """A record whose outputs were never published would be taken for a duplicate, and be gone."""
    door = Door()
    door.held_back.add(b"first")

    async def play(app: FakeApp, loop: ChainLoop) -> None:
        loop.buffer.add(TP0, [record(b"first", 0)])
        await until(lambda: door.tried.count(b"first") > 2)
        loop.buffer.add(TP0, [record(b"second", 1)])
        await until(lambda: door.tried.count(b"first") > 5)
        app.move()
        await until(lambda: not app.assignment.working)
        assert not app.assignment.positions
        app.moved()
        door.held_back.clear()
        loop.buffer.add(TP0, [record(b"first", 0), record(b"second", 1)])
        await until(lambda: app.assignment.positions.get(TP0) == 2)
        assert app.publisher.published == [b"first", b"second"]

    _play(door, play)


def test_what_the_broker_refuses_is_a_dead_letter_of_its_source_that_leaves_no_trace() -> None:
    """One large message would end the worker again and again; or its redrive would be dropped as a duplicate."""
    door = Door()

    async def play(app: FakeApp, loop: ChainLoop) -> None:
        app.publisher.too_large.add(("out", b"large"))
        loop.buffer.add(TP0, [record(value, offset) for offset, value in enumerate((b"1", b"large", b"2"))])
        await until(lambda: app.assignment.positions.get(TP0) == 3)
        assert (app.publisher.published, app.publisher.letters) == ([b"1", b"2"], [b"large"])
        assert set(app.stores["seen"].partition(0)) == {b"1", b"2"}
        app.publisher.too_large.clear()
        loop.buffer.add(TP0, [record(value, 3 + offset) for offset, value in enumerate((b"1", b"large", b"2"))])
        await until(lambda: app.assignment.positions.get(TP0) == 6)
        assert app.publisher.published == [b"1", b"2", b"large"]

    _play(door, play)


@pytest.mark.parametrize("moves", [False, True])
def test_a_dead_letter_that_its_topic_refuses_stays_in_hand_until_it_is_taken(moves: bool) -> None:
    """The bytes of a message would be gone for good, because somebody lowered the limit of a topic."""
    door = Door()

    async def play(app: FakeApp, loop: ChainLoop) -> None:
        app.publisher.too_large |= {("out", b"large"), ("dead-letters.door", b"large")}
        found = [record(b"1", 0), record(b"large", 1)]
        loop.buffer.add(TP0, found)
        await until(lambda: app.publisher.refusals > 3)
        assert loop.blocked_dead_letters.cause == "OversizeRecord: dead-letters.door"
        assert not app.assignment.positions
        if moves:
            app.move()
            await until(lambda: not app.assignment.working)
            app.moved()
        app.publisher.too_large.clear()
        if moves:
            loop.buffer.add(TP0, found)
        await until(lambda: app.assignment.positions.get(TP0) == 2 and loop.blocked_dead_letters.cause is None)
        assert sorted(app.publisher.published + app.publisher.letters) == [b"1", b"large"]

    _play(door, play)


def test_what_follows_a_batch_that_is_abandoned_is_abandoned_too() -> None:
    """The offset would go past a message that is neither published nor a dead letter: it would be gone for good."""
    door = Door()

    async def play(app: FakeApp, loop: ChainLoop) -> None:
        app.publisher.too_large |= {("out", b"large"), ("dead-letters.door", b"large")}
        loop.buffer.add(TP0, [record(b"large", 0)])
        await until(lambda: app.publisher.refusals > 3)
        loop.buffer.add(TP0, [record(b"2", 1)])
        await until(lambda: b"2" in door.tried)
        app.move()
        await until(lambda: not app.assignment.working)
        assert not app.assignment.positions
        app.moved()
        app.publisher.too_large.clear()
        loop.buffer.add(TP0, [record(b"large", 0), record(b"2", 1)])
        await until(lambda: app.assignment.positions.get(TP0) == 2)
        assert app.publisher.published == [b"large", b"2"]

    _play(door, play)


def test_nothing_of_a_key_is_tried_before_what_is_held_back_of_it() -> None:
    """A stage that counts or compares would see a person's messages in the wrong order."""
    door = Door()
    door.held_back.add(b"1")

    async def play(app: FakeApp, loop: ChainLoop) -> None:
        loop.buffer.add(TP0, [TestRecord(b"1", b"k", topic="in", offset=0)])
        await until(lambda: door.tried.count(b"1") > 2)
        loop.buffer.add(TP0, [TestRecord(b"2", b"k", topic="in", offset=1)])
        await until(lambda: door.tried.count(b"1") > 5)
        door.held_back.clear()
        await until(lambda: app.assignment.positions.get(TP0) == 2)
        assert door.tried[-2:] == [b"1", b"2"]
        assert b"2" not in door.tried[:-1]
        assert app.publisher.published == [b"1", b"2"]

    _play(door, play)


def test_a_batch_goes_through_the_chain_while_another_is_published_and_is_let_go_after_it() -> None:
    """The worker would wait for the broker where it could work, or commit what is not published."""
    door = Door()

    async def play(app: FakeApp, loop: ChainLoop) -> None:
        app.publisher.gate.clear()
        loop.buffer.add(TP0, [record(b"1", 0)])
        await until(lambda: door.tried == [b"1"])
        loop.buffer.add(TP0, [record(b"2", 1)])
        await until(lambda: door.tried == [b"1", b"2"])
        assert not app.assignment.positions
        app.move()
        assert app.assignment.working
        app.publisher.gate.set()
        await until(lambda: not app.assignment.working)
        assert app.publisher.published == [b"1", b"2"]
        assert app.assignment.positions == {TP0: 2}

    _play(door, play)


def test_only_so_many_batches_wait_for_their_commit() -> None:
    """In an outage of the broker everything that was fetched would be made into outputs, and fill the memory."""
    door = Door()
    values = [b"%d" % number for number in range(MAX_PENDING_COMMITS + 2)]

    def tried(count: int) -> Callable[[], bool]:
        return lambda: len(door.tried) == count

    async def play(app: FakeApp, loop: ChainLoop) -> None:
        app.publisher.gate.clear()
        for offset, value in enumerate(values):
            loop.buffer.add(TP0, [record(value, offset)])
            await until(tried(min(offset, MAX_PENDING_COMMITS) + 1))
        for _ in range(100):
            await asyncio.sleep(0)
        assert (len(door.tried), len(loop.buffer)) == (MAX_PENDING_COMMITS + 1, 1)
        app.publisher.gate.set()
        await until(lambda: app.assignment.positions.get(TP0) == len(values))
        assert app.publisher.published == values

    _play(door, play)


def test_a_long_batch_leaves_turns_to_others() -> None:
    """Acknowledgements, heartbeats and probes would wait for whole batches: a quarter of the time nothing is done."""
    door, turns = Door(), list[int]()

    async def play(app: FakeApp, loop: ChainLoop) -> None:
        loop.buffer.add(TP0, [record(b"%d" % number, number) for number in range(8 * DECODE_CHUNK)])
        while len(door.tried) < 8 * DECODE_CHUNK:
            turns.append(len(door.tried))
            await asyncio.sleep(0)
        await until(lambda: app.assignment.positions.get(TP0) == 8 * DECODE_CHUNK)
        assert len(app.publisher.published) == len(set(app.publisher.published)) == 8 * DECODE_CHUNK

    _play(door, play)
    assert len(set(turns)) == 8


def test_records_behind_too_many_bytes_of_outputs_wait_for_the_next_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of records of which each becomes a thousand times itself would take all memory of its worker."""
    monkeypatch.setattr("pipeline.runtime.flows.chain_loop.MAX_BATCH_OUTPUT_BYTES", 2_500)
    door = Door()
    values = [b"%d" % number * 1_000 for number in range(10)]

    async def play(app: FakeApp, loop: ChainLoop) -> None:
        loop.buffer.add(TP0, [record(each, offset) for offset, each in enumerate(values)])
        await until(lambda: app.assignment.positions.get(TP0) == 10)
        assert door.tried == values
        assert app.publisher.sizes == [3, 3, 3, 1]

    _play(door, play)


def test_what_waits_behind_another_try_is_not_stuck() -> None:
    """A worker would be restarted for the partitions beside one whose record waits, for an upgrade say."""
    door = Door()
    door.held_back.add(b"first")
    now = 1000.0

    async def play(app: FakeApp, loop: ChainLoop) -> None:
        nonlocal now
        liveness = app.assignment.liveness = Liveness(lambda: now)
        liveness.observe(TP1, PartitionPosition(0, 0, True))
        loop.buffer.add(TP0, [record(b"first", 0)])
        await until(lambda: door.tried.count(b"first") > 2)
        loop.buffer.add(TP1, [record(b"second", 0)])
        now += 500
        tries = len(door.tried)
        await until(lambda: len(door.tried) > tries + 2)
        assert liveness.stalled_for() == {TP1: 0}

    _play(door, play)
