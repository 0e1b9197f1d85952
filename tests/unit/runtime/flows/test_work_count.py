"""Flows say what they have: what runs, what waits, and what stands behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest
from faust.types import TP

from pipeline.backoff import RetryPolicy
from pipeline.errors import RetryAfter, Unavailable
from pipeline.runtime.flows import in_flight
from pipeline.runtime.flows.breaker import OFF, Breaker, BreakerConfig
from pipeline.runtime.flows.concurrent_loop import ConcurrentLoop
from pipeline.runtime.flows.stage import ConcurrentContext, ConcurrentStage, Stage, StageContext
from pipeline.runtime.process.lag import PartitionWork
from pipeline.testing import TestRecord
from pipeline.testing.own_time import OwnTime
from pipeline.topics.records import Record
from tests.support.loop_stand_ins import TP0, FakeApp, Loop, until
from tests.support.waiting import HANG

TP1 = TP("in", 1)
WAIT = 5.0
"""Seconds of a wait, in the time of the loop."""


class Site:
    """A stage that does with a record what its key says.

    Attributes:
        tries: the keys of all attempts, in order.
        away: True while every record of a key `away…` fails.
    """

    def __init__(self) -> None:
        self.tries: list[bytes] = []
        self.away = True

    async def work(self, record: Any, context: ConcurrentContext) -> Iterable[Record]:
        key = record.key.decode()
        self.tries.append(record.key)
        if key.startswith("permit"):
            await context.wait(WAIT)
        elif key.startswith("limit"):
            raise RetryAfter("it is over its limit", WAIT)
        elif key.startswith("away") and self.away:
            raise Unavailable("it is away")
        elif key.startswith("runs"):
            await asyncio.Event().wait()
        return [Record("out", record.key, b"refused" if key == "large" else record.value)]

    def chained(self, record: Any, _: StageContext) -> Iterable[Record]:
        self.tries.append(record.key)
        if record.key == b"away" and self.away:
            raise Unavailable("it is away")
        return [Record("out", record.key, record.value)]


def record(key: bytes, offset: int, partition: int = 0) -> TestRecord:
    """A record whose timestamp is 1,000 ms for each offset."""
    return TestRecord(b"value", key, topic="in", partition=partition, offset=offset, timestamp=1_000 * offset)


def records(*keys: bytes) -> list[TestRecord]:
    """Records with these keys, from offset 1 on."""
    return [record(key, offset) for offset, key in enumerate(keys, 1)]


def concurrent(app: FakeApp, site: Site, breaker: BreakerConfig = OFF) -> ConcurrentLoop:
    stage = ConcurrentStage("site", site.work, lambda record: record, lambda record: record.key, 100)
    return app.concurrent(stage, Breaker(breaker))


def play(scene: Callable[[FakeApp, Site], Awaitable[tuple[Loop, Awaitable[None]]]]) -> None:
    """Run a scene: it makes a loop, and what is to be done while the loop runs."""

    async def run() -> None:
        app = FakeApp(retries=RetryPolicy(max_attempts=3, initial_delay=WAIT, max_delay=WAIT))
        loop, test = await scene(app, Site())
        running = asyncio.ensure_future(loop.run())
        try:
            async with asyncio.timeout(HANG):
                await test
        finally:
            running.cancel()
            await asyncio.wait([running])

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(run())


def test_what_waits_and_what_stands_behind_it_is_held() -> None:
    """The queue of an account at its limit would look like work that more workers could do."""

    async def scene(app: FakeApp, site: Site) -> tuple[Loop, Awaitable[None]]:
        loop = concurrent(app, site)

        async def test() -> None:
            loop.buffer.add(TP0, records(b"permit", b"runs", b"permit", b"limit", b"limit", b"done", b"runs2"))
            loop.buffer.add(TP1, [record(b"runs3", 9, 1)])
            await until(lambda: len(site.tries) == 6 and app.publisher.published)
            await asyncio.sleep(0.01)
            assert loop.work() == {
                TP0: PartitionWork(runnable=2, held=4, finished=1, oldest_runnable=2_000, oldest_held=1_000),
                TP1: PartitionWork(runnable=1, oldest_runnable=9_000),
            }
            app.move()
            app.assignment.epoch += 1
            assert loop.work() == {}, "records of an earlier epoch are delivered again, perhaps elsewhere"

        return loop, test()

    play(scene)


@pytest.mark.parametrize(("held", "blocked"), [(3, True), (1, False)])
def test_a_window_that_is_full_of_held_records_holds_all_behind_it(
    held: int, blocked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million commands behind an account at its limit would be sendable, whose window takes not one of them."""
    monkeypatch.setattr(in_flight, "MAX_UNFINISHED", 4)

    async def scene(app: FakeApp, site: Site) -> tuple[Loop, Awaitable[None]]:
        loop = concurrent(app, site)

        async def test() -> None:
            waiting = [b"permit-%d" % number for number in range(held)]
            running = [b"runs-%d" % number for number in range(4 - held)]
            loop.buffer.add(TP0, records(*waiting, *running, b"behind", b"behind"))
            await until(lambda: len(site.tries) == 4)
            await asyncio.sleep(0.01)
            (work,) = loop.work().values()
            assert (work.runnable, work.held, work.blocked) == (4 - held, held, blocked)
            assert (work.oldest_held, work.oldest_runnable) == (1_000, (held + 1) * 1_000)

        return loop, test()

    play(scene)


def test_an_open_breaker_holds_what_is_in_the_buffer() -> None:
    """While Redis is away, workers would be added that fail as well."""

    async def scene(app: FakeApp, site: Site) -> tuple[Loop, Awaitable[None]]:
        loop = concurrent(app, site, BreakerConfig(consecutive=2))

        async def test() -> None:
            loop.buffer.add(TP0, records(b"away-1", b"away-2"))
            await until(lambda: loop.breaker.open)
            loop.buffer.add(TP1, [record(b"next", 7, 1)])
            await asyncio.sleep(0.01)
            assert loop.work() == {
                TP0: PartitionWork(held=2, oldest_held=1_000, blocked=True),
                TP1: PartitionWork(oldest_held=7_000, blocked=True),
            }

        return loop, test()

    play(scene)


def test_a_dead_letter_that_its_topic_rejects_is_held() -> None:
    """A record that waits for a person who raises a limit would ask for workers."""

    async def scene(app: FakeApp, site: Site) -> tuple[Loop, Awaitable[None]]:
        app.publisher.too_large |= {("out", b"refused"), ("dead-letters.site", b"value")}
        loop = concurrent(app, site)

        async def test() -> None:
            loop.buffer.add(TP0, records(b"large"))
            await until(lambda: loop.blocked_dead_letters.cause)
            await asyncio.sleep(0.01)
            assert (loop.work()[TP0].runnable, loop.work()[TP0].held) == (0, 1)

        return loop, test()

    play(scene)


def test_a_chain_is_held_as_a_whole_while_one_of_its_records_waits() -> None:
    """A chain takes no batch before the retry of the one before: more workers would not help its backlog."""

    async def scene(app: FakeApp, site: Site) -> tuple[Loop, Awaitable[None]]:
        loop = app.chained([Stage("site", site.chained)])

        async def test() -> None:
            loop.buffer.add(TP0, records(b"fine", b"away"))
            await until(lambda: site.tries == [b"fine", b"away"])
            await asyncio.sleep(0.01)
            loop.buffer.add(TP1, [record(b"next", 7, 1)])
            assert loop.work() == {
                TP0: PartitionWork(oldest_held=1_000, blocked=True),
                TP1: PartitionWork(oldest_held=7_000, blocked=True),
            }
            site.away = False
            await until(lambda: app.assignment.positions == {TP0: 3, TP1: 8})
            assert loop.work() == {}

        return loop, test()

    play(scene)


def test_a_chain_says_the_age_of_what_it_publishes_and_of_what_is_next() -> None:
    """An intake whose broker is slow would report no age at all."""

    async def scene(app: FakeApp, site: Site) -> tuple[Loop, Awaitable[None]]:
        app.publisher.gate.clear()
        loop = app.chained([Stage("site", site.chained)])

        async def test() -> None:
            loop.buffer.add(TP0, records(b"one", b"two"))
            await until(lambda: len(site.tries) == 2)
            loop.buffer.add(TP1, [record(b"next", 7, 1)])
            assert loop.work() == {
                TP0: PartitionWork(oldest_runnable=1_000),
                TP1: PartitionWork(oldest_runnable=7_000),
            }

        return loop, test()

    play(scene)
