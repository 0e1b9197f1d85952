"""Parking without room on the disk: records wait in front of others again, in order, and it ends by itself."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from pipeline.runtime.flows.concurrent_loop import ConcurrentLoop
from pipeline.runtime.flows.in_flight import MAX_UNFINISHED
from pipeline.runtime.parking.queue_rows import TABLE
from pipeline.runtime.parking.rows import QueueRow, encode_queue, encode_record, queue_digest, queue_key, record_key
from pipeline.runtime.process.lag import PartitionWork
from pipeline.runtime.process.liveness import Liveness, PartitionPosition
from pipeline.testing import TestRecord
from tests.support.loop_stand_ins import TP0, FakeApp
from tests.unit.runtime.parking.scene import Site, app_of, play, record, rows, until

COUNT = 3_000
MAX_BYTES = 30_000


def size(app: FakeApp) -> int:
    """Bytes of the parked records in the table."""
    return sum(len(row) for key, row in app.stores[TABLE].partition(0).items() if key[:1] == b"r")


def test_the_table_stays_within_its_bound_and_there_is_room_again(caplog: pytest.LogCaptureFixture) -> None:
    """An account that is away would fill the disk; or, once it was full, its partition would stand still for good."""
    site, largest = Site(), 0

    async def scene(app: FakeApp, loop: ConcurrentLoop) -> None:
        nonlocal largest
        loop.buffer.add(TP0, [*(record("t/away", n, n) for n in range(COUNT)), record("u/light", 0, COUNT)])
        await until(lambda: loop.parking_is_full)
        await asyncio.sleep(300)
        largest = size(app)
        assert loop.work()[TP0].held >= MAX_UNFINISHED - 1, "they wait in the window, and nothing of them is sendable"
        assert loop.parking_used is not None
        assert loop.parking_used >= 1
        assert site.done == []
        site.away = False
        await until(lambda: len(site.done) == COUNT + 1 and not rows(app))
        assert not loop.parking_is_full
        assert loop.work()[TP0] == PartitionWork()
        assert app.assignment.positions[TP0] == COUNT + 1

    app = app_of(MAX_BYTES)
    play(app, site, scene)
    assert MAX_BYTES <= largest < MAX_BYTES * 1.1
    assert site.numbers("t/away") == list(range(COUNT))
    lines = [str(line.msg) for line in caplog.records]
    assert "parking_full" in lines[0]
    assert "parking_has_room" in lines[-1]
    assert len(lines) < COUNT / 20, "one line per record would fill the log instead"


def test_others_go_on_without_room_while_the_window_has_some() -> None:
    """A full disk would stop healthy accounts, although there is a place for them."""
    site, waiting = Site(), 400

    async def scene(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record("t/away", n, n) for n in range(MAX_UNFINISHED)])
        await until(lambda: loop.parking_is_full)
        behind = [record("t/away", n, n) for n in range(MAX_UNFINISHED, MAX_UNFINISHED + waiting)]
        loop.buffer.add(TP0, [*behind, record("u/light", 0, MAX_UNFINISHED + waiting)])
        await until(lambda: site.done == ["u/light 0"])

    play(app_of(20_000), site, scene)


@pytest.mark.parametrize("moves", [True, False], ids=["partitions move", "killed"])
def test_what_waits_for_room_comes_again_when_partitions_move(moves: bool) -> None:
    """Records that had no room would be lost, or sent twice, when their partition moves or the worker dies."""
    site = Site()
    records = [record("t/away", n, n) for n in range(COUNT)]

    async def fill(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, records)
        await until(lambda: loop.parking_is_full)
        await asyncio.sleep(100)
        if moves:
            app.move()
            await until(lambda: not app.assignment.working)
            loop.buffer.clear()
            app.moved()
            await drain(app, loop)

    async def drain(app: FakeApp, loop: ConcurrentLoop) -> None:
        site.away = False
        loop.buffer.add(TP0, records[app.assignment.positions.get(TP0, 0) :])
        await until(lambda: len(site.done) == COUNT and not rows(app))

    app = app_of(MAX_BYTES)
    play(app, site, fill)
    if not moves:
        positions, app.assignment = app.assignment.positions, type(app.assignment)()
        app.assignment.positions.update(positions)
        play(app, site, drain)
    assert site.numbers("t/away") == list(range(COUNT))


@pytest.mark.parametrize("max_bytes", [MAX_BYTES, None], ids=["no room", "held"])
def test_a_partition_whose_records_wait_is_not_stuck(max_bytes: int | None) -> None:
    """The worker would be restarted every two minutes for as long as an account is away."""
    site = Site()

    async def scene(app: FakeApp, loop: ConcurrentLoop) -> None:
        app.assignment.liveness = Liveness(asyncio.get_running_loop().time)
        loop.buffer.add(TP0, [record("t/away", n, n) for n in range(COUNT if max_bytes else 1)])
        await until(lambda: loop.parking_is_full or not max_bytes)
        if max_bytes:  # the account is back, and from some time on each of its commands takes long
            site.away = False
            await until(lambda: len(site.done) > 700)
            site.seconds = 30
        for _ in range(20):
            app.assignment.liveness.observe(TP0, PartitionPosition(0, 0, lagging=True))
            await asyncio.sleep(55)
            assert app.assignment.liveness.stalled_for()[TP0] < 60

    play(app_of(max_bytes), site, scene)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_dies_while_there_is_no_room_nothing_is_lost_or_reordered(seed: int) -> None:
    """A disk that is full at the time of a crash would cost a customer his answers, or mix them up."""
    rng = random.Random(seed)
    keys, numbers, records = [f"g{n}/away{n}" for n in range(3)] + ["u/light"], Counter[str](), list[TestRecord]()
    for offset in range(COUNT):
        key = rng.choice(keys)
        records.append(record(key, numbers[key], offset))
        numbers[key] += 1
    site, app = Site(), app_of(8_000)
    unique: list[str] = []

    while len(unique) < COUNT or rows(app):
        positions, app.assignment = app.assignment.positions, type(app.assignment)()
        app.assignment.positions.update(positions)
        kill_at = min(len(unique) + rng.randrange(200, 900), COUNT)

        async def life(app: FakeApp, loop: ConcurrentLoop, kill_at: int = kill_at) -> None:
            loop.buffer.add(TP0, records[app.assignment.positions.get(TP0, 0) :])
            site.away = True
            await asyncio.sleep(rng.choice([0.5, 5, 100]))
            site.away = False
            await until(lambda: len(set(site.done)) >= kill_at and (kill_at < COUNT or not rows(app)))

        play(app, site, life)
        unique = list(dict.fromkeys(site.done))  # a kill repeats what was not committed, and its id is known
    found: dict[str, list[int]] = {key: [] for key in keys}
    for value in unique:
        key, number = value.split()
        found[key].append(int(number))
    assert found == {key: list(range(numbers[key])) for key in keys}


def test_a_full_table_whose_records_lie_behind_one_without_room_drains() -> None:
    """After a crash at the wrong moment, a record would wait for the room of those that wait for it, for good."""
    site, behind, total = Site(), 100, 400
    site.away = False
    parked = [n for n in range(total) if n < 10 or n >= behind]
    digest = queue_digest("in", ("t", "t/key"))
    table = {record_key(digest, n): encode_record(record("t/key", n, n)) for n in parked}
    size = sum(map(len, table.values()))

    async def scene(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [record("t/key", n, n) for n in range(10, total)])
        await until(lambda: loop.parking_is_full)
        await until(lambda: len(site.done) == total and not rows(app))

    app = app_of(size)
    app.assignment.positions[TP0] = 10
    queue = encode_queue(QueueRow("in", ("t", "t/key"), len(parked), size))
    app.stores[TABLE].partition(0).update(table | {queue_key(digest): queue})
    play(app, site, scene)
    assert site.numbers("t/key") == list(range(total))
