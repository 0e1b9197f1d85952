"""Parking in the real loop, in virtual time: by order and count, with restarts in between."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from pipeline.backoff import RetryPauses
from pipeline.errors import KeyUnavailable, RetryAfter, Unavailable
from pipeline.runtime.flows.breaker import OFF, Breaker, BreakerConfig
from pipeline.runtime.flows.concurrent_loop import ConcurrentLoop
from pipeline.runtime.flows.fairness import Fairness
from pipeline.runtime.flows.in_flight import MAX_UNFINISHED
from pipeline.runtime.flows.stage import ConcurrentContext, ConcurrentStage
from pipeline.runtime.parking.queue_rows import TABLE
from pipeline.runtime.parking.rows import QUEUE
from pipeline.testing import TestRecord
from pipeline.testing.own_time import OwnTime
from pipeline.topics.records import Record
from tests.support.loop_stand_ins import TP0, FakeApp

VIRTUAL_HANG = 5_000.0
"""Seconds of virtual time, so that a test that hangs ends."""

Work = Callable[[Any, ConcurrentContext], Awaitable[Iterable[Record]]]
Play = Callable[[FakeApp, ConcurrentLoop], Awaitable[None]]


def _record(key: str, number: int, offset: int) -> TestRecord:
    """A record whose value is `<key> <number>`. The group is the part of the key before a colon."""
    return TestRecord(f"{key} {number}".encode(), key.encode(), topic="in", offset=offset)


def _turn(record: Any) -> tuple[str, str]:
    key = record.key.decode()
    return key.partition(":")[0], key


LONG_PAUSES = RetryPauses(io_errors=(40.0,) * 50)
"""After an I/O error a record leaves the window at once."""


def _stage(work: Work, *, concurrency: int = 10, weight: Callable[[str], float] = lambda _: 1.0) -> ConcurrentStage:
    fairness = Fairness(key=_turn, weight=weight)
    return ConcurrentStage(
        "slow",
        work,
        lambda record: record,
        lambda record: record.key,
        concurrency,
        fairness=fairness,
        retries=lambda _: LONG_PAUSES,
    )


def _copy(record: Any) -> list[Record]:
    return [Record("out", record.key, record.value)]


async def until(condition: Callable[[], Any]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def _during(app: FakeApp, stage: ConcurrentStage, play: Play, breaker: BreakerConfig = OFF) -> None:
    """Run a process until `play` returns, then kill it."""
    app.group_breaker = lambda _: Breaker(breaker)
    loop = app.concurrent(stage, Breaker(OFF))
    running = asyncio.ensure_future(loop.run())
    try:
        async with asyncio.timeout(VIRTUAL_HANG):
            await play(app, loop)
    finally:
        running.cancel()
        await asyncio.wait([running])


def _run(*lives: Callable[[FakeApp], Awaitable[None]], app: FakeApp | None = None) -> FakeApp:
    """Run processes one after the other on the same table."""
    app = app or FakeApp(tables=[TABLE])

    async def run() -> None:
        for life in lives:
            await life(app)

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(run())
    return app


def _numbers(app: FakeApp, key: str) -> list[int]:
    """Return the numbers of a key's published records, in order."""
    values = (value.decode().split() for value in app.publisher.published)
    return [int(number) for name, number in values if name == key]


def _rows(app: FakeApp) -> int:
    return len(app.stores[TABLE].partition(0))


def test_a_hot_key_does_not_delay_another_behind_it() -> None:
    """A customer would wait for two minutes because somebody else in the partition wrote 2,500 messages."""
    hot, order = 2_500, list[str]()

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        await asyncio.sleep(0.05)
        order.append(record.key.decode())
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        records = [_record("hot", n, n) for n in range(hot)]
        loop.buffer.add(TP0, [*records, _record("light", 0, hot)])
        await until(lambda: "light" in order)
        assert order.index("light") < 20
        await until(lambda: len(app.publisher.published) == hot + 1 and not _rows(app))
        assert app.assignment.positions[TP0] == hot + 1

    app = _run(lambda app: _during(app, _stage(work), play))
    assert _numbers(app, "hot") == list(range(hot))


def test_keys_that_wait_leave_the_window_to_others() -> None:
    """A thousand accounts that are away would stop every healthy one of their partition."""
    away, waiting = MAX_UNFINISHED + 100, [True]

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        if record.key.startswith(b"away") and waiting[0]:
            raise RetryAfter("away", 600)
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        records = [_record(f"away{n}:a", m, 2 * n + m) for n in range(away) for m in range(2)]
        loop.buffer.add(TP0, [*records, _record("light", 0, 2 * away)])
        await until(lambda: app.publisher.published == [b"light 0"])
        waiting[0] = False
        await until(lambda: len(app.publisher.published) == 2 * away + 1 and not _rows(app))
        assert app.assignment.positions[TP0] == 2 * away + 1

    app = _run(lambda app: _during(app, _stage(work), play))
    assert all(_numbers(app, f"away{n}:a") == [0, 1] for n in range(away))


def test_parked_records_survive_a_kill() -> None:
    """A crash would lose what had left the window, or send it twice."""
    stuck = 900
    open_ = [False]

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        if not open_[0]:
            raise KeyUnavailable("away", 600)
        return _copy(record)

    async def fill(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [_record("away", n, n) for n in range(stuck)])
        await until(lambda: _rows(app) > 100 and not loop.buffer.not_empty.is_set() and not app.assignment.working)

    async def drain(app: FakeApp, loop: ConcurrentLoop) -> None:
        open_[0] = True
        position = app.assignment.positions.get(TP0, 0)
        loop.buffer.add(TP0, [_record("away", n, n) for n in range(position, stuck)])
        await until(lambda: len(set(app.publisher.published)) == stuck and not _rows(app))

    async def second(app: FakeApp) -> None:
        app.assignment = type(app.assignment)()
        await _during(app, _stage(work), drain)

    app = _run(lambda app: _during(app, _stage(work), fill), second)
    assert _numbers(app, "away") == list(range(stuck))


def test_only_one_record_of_a_key_that_is_away_is_tried() -> None:
    """Each of a thousand commands of an account would call its gateway in turn, for as long as that is away."""
    tries: dict[str, int] = defaultdict(int)
    up = [False]

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        tries[record.value.decode()] += 1
        if not up[0]:
            raise KeyUnavailable("away", 60)
        return _copy(record)

    def key(record: Any) -> bytes:
        return bytes(record.value)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [_record("gateway", n, n) for n in range(50)])
        await until(lambda: len(tries) >= 1 and not app.assignment.working)
        started = sum(tries.values())
        await asyncio.sleep(605)
        assert sum(tries.values()) - started <= 11  # one probe a minute
        up[0] = True
        await until(lambda: len(app.publisher.published) == 50)

    stage = ConcurrentStage("slow", work, lambda record: record, key, 1, fairness=Fairness(key=_turn))
    _run(lambda app: _during(app, stage, play))


def test_a_limit_lets_records_pass_one_behind_the_other() -> None:
    """An account at its limit would send one message per hold, far below the limit."""
    permits = [0.0]
    sent: list[float] = []

    async def work(record: Any, context: ConcurrentContext) -> list[Record]:
        now = asyncio.get_running_loop().time()
        delay = max(0.0, permits[0] - now)
        if delay > 1:
            raise KeyUnavailable("over the limit", delay - 0.5, probing=False)
        permits[0] = max(permits[0], now) + 0.02
        await context.wait(delay)
        sent.append(asyncio.get_running_loop().time())
        return _copy(record)

    def key(record: Any) -> bytes:
        return bytes(record.value)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [_record("limited", n, n) for n in range(3_000)])
        await until(lambda: len(app.publisher.published) == 3_000 and not _rows(app))
        assert sent[-1] - sent[0] < 3_000 * 0.02 * 1.05

    stage = ConcurrentStage("slow", work, lambda record: record, key, 1_000, fairness=Fairness(key=_turn))
    _run(lambda app: _during(app, stage, play))


def test_behind_a_limit_nobody_waits_for_the_work_of_another() -> None:
    """An account with permits for all would send one message, wait for its answer, and then send the next."""
    opens = 2.0

    async def work(record: Any, context: ConcurrentContext) -> list[Record]:
        if (left := opens - asyncio.get_running_loop().time()) > 0:
            raise KeyUnavailable("over the limit", left, whole_group=True, probing=False)
        await context.persist()
        await asyncio.sleep(10)  # the call
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        loop.buffer.add(TP0, [_record(f"limited:{n}", n, n) for n in range(100)])
        await until(lambda: len(app.publisher.published) == 100)
        assert asyncio.get_running_loop().time() < opens + 2 * 10

    _run(lambda app: _during(app, _stage(work, concurrency=1_000), play))


def test_a_group_that_fails_is_probed_and_the_others_go_on() -> None:
    """One tenant whose hook raises would stop all tenants of its lane, for good."""
    broken = [True]
    tries = [0]

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        if record.key.startswith(b"bad") and broken[0]:
            tries[0] += 1
            raise RuntimeError("a bug")
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        # Enough good ones in front of and between the bad ones, as many as the window holds and more.
        mixed = [(f"bad:{n % 700}", n) if n % 2 else (f"good:{n % 50}", n) for n in range(4_000)]
        loop.buffer.add(TP0, [_record(name, n, n) for name, n in mixed])
        await until(lambda: len(app.publisher.published) == 2_000)
        assert loop.breakers.open_groups == {"bad": "RuntimeError"}
        assert tries[0] < 400
        broken[0] = False
        await until(lambda: len(app.publisher.published) + len(app.publisher.letters) == 4_000 and not _rows(app))
        assert not loop.breakers.open_groups

    app = _run(lambda app: _during(app, _stage(work), play, BreakerConfig(consecutive=20)))
    assert len(app.publisher.letters) < 100
    for n in range(700):
        numbers = _numbers(app, f"bad:{n}")
        assert numbers == sorted(numbers)


def _mixed(rng: random.Random, total: int) -> tuple[list[TestRecord], dict[str, int]]:
    """Return records, most of them of a few keys or of one group, and how many each key has."""
    numbers: dict[str, int] = defaultdict(int)
    records: list[TestRecord] = []
    names = [f"g{n % 3}:k{n}" for n in range(rng.choice([2, 8, 60, 600]))]
    heavy = rng.choice([names[:2], [name for name in names if name.startswith("g0")]])
    for offset in range(total):
        name = rng.choice(heavy if rng.random() < 0.8 else names)
        records.append(_record(name, numbers[name], offset))
        numbers[name] += 1
    return records, numbers


def test_a_group_with_a_backlog_of_many_keys_does_not_delay_another_behind_it() -> None:
    """A tenant's message would wait for the campaign of another: for each of its ten thousand conversations."""
    heavy, order = 10_000, list[str]()

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        await asyncio.sleep(0.05)
        order.append(record.key.decode())
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        records = [_record(f"heavy:k{n % 4_000}", n // 4_000, n) for n in range(heavy)]
        loop.buffer.add(TP0, [*records, _record("light:k", 0, heavy)])
        await until(lambda: app.assignment.positions.get(TP0) == heavy + 1)
        assert order.index("light:k") < 1_000
        queues = [key for key, _ in app.stores[TABLE].scan(0, b"") if key.startswith(QUEUE)]
        assert len(queues) == 1, "a backlog has one queue, however many keys it has"
        await until(lambda: len(order) == heavy + 1 and not _rows(app))

    app = _run(lambda app: _during(app, _stage(work), play))
    assert all(_numbers(app, f"heavy:k{n}") == [0, 1, 2][: 3 - (n >= 2_000)] for n in range(4_000))


def test_a_backlog_is_read_on_while_its_first_records_wait_for_a_slot() -> None:
    """A tenant's message behind 20,000 of another would wait until thousands of those are handled."""
    heavy, order = 20_000, list[str]()

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        await asyncio.sleep(1)
        order.append(record.key.decode())
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        records = [_record(f"heavy:k{n}", 0, n) for n in range(heavy)]
        loop.buffer.add(TP0, [*records, _record("light:k", 0, heavy)])
        await until(lambda: "light:k" in order)
        assert order.index("light:k") < 100

    _run(lambda app: _during(app, _stage(work), play))


def test_a_key_that_is_held_does_not_hold_the_others_of_its_group() -> None:
    """One account that is away would stop the tenant's other ones, whose commands wait in the same queue."""
    away, order = [True], list[str]()

    async def work(record: Any, _: ConcurrentContext) -> list[Record]:
        if record.key == b"heavy:away" and away[0]:
            raise KeyUnavailable("away", 60)
        await asyncio.sleep(0.01)
        order.append(record.value.decode())
        return _copy(record)

    async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
        names = ["heavy:away" if n % 2 else f"heavy:k{n % 1_000}" for n in range(8_000)]
        loop.buffer.add(TP0, [*(_record(name, n, n) for n, name in enumerate(names)), _record("light:k", 0, 8_000)])
        await until(lambda: len(order) == 4_001)
        away[0] = False
        await until(lambda: len(order) == 8_001 and not _rows(app))
        assert _numbers(app, "heavy:away") == list(range(1, 8_000, 2))

    _run(lambda app: _during(app, _stage(work), play))


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_lost_doubled_or_reordered_whatever_dies(seed: int) -> None:
    """A customer would miss an answer, or get one twice or out of order, after kills while records were parked."""
    rng = random.Random(seed)
    total = 2_000
    records, numbers = _mixed(rng, total)
    handled: dict[str, list[int]] = defaultdict(list)
    done: set[int] = set()

    async def work(record: Any, context: ConcurrentContext) -> list[Record]:
        kind = rng.random()
        if kind < 0.02:
            await context.wait(rng.choice([0.1, 5, 200]))
        elif kind < 0.03:
            raise KeyUnavailable("away", rng.choice([0.5, 30]), probing=rng.random() < 0.5)
        elif kind < 0.04:
            raise rng.choice([Unavailable("away"), TimeoutError()])
        elif kind < 0.5:
            await asyncio.sleep(0.01)
        if record.offset in done:  # delivered again, as it may be: the effect is deduplicated by its id
            return []
        done.add(record.offset)
        handled[record.key.decode()].append(int(record.value.split()[1]))
        return _copy(record)

    async def life(app: FakeApp) -> None:
        position = app.assignment.positions.get(TP0, 0)
        app.assignment = type(app.assignment)()
        app.assignment.positions[TP0] = position
        kill_at = len(done) + rng.randrange(100, 900)

        async def play(app: FakeApp, loop: ConcurrentLoop) -> None:
            loop.buffer.add(TP0, records[position:])
            await until(lambda: len(done) >= min(kill_at, total) and (len(done) < total or not _rows(app)))

        await _during(app, _stage(work), play)

    app = FakeApp(tables=[TABLE])
    while len(done) < total or _rows(app):
        _run(life, app=app)
    assert {name: list(range(count)) for name, count in numbers.items()} == dict(handled)
