"""A concurrent loop with parking in virtual time, for the tests of what people see of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from pipeline.backoff import RetryPolicy
from pipeline.errors import KeyUnavailable
from pipeline.runtime.flows.breaker import OFF, Breaker, BreakerConfig
from pipeline.runtime.flows.concurrent_loop import ConcurrentLoop
from pipeline.runtime.flows.fairness import Fairness
from pipeline.runtime.flows.stage import ConcurrentContext, ConcurrentStage
from pipeline.runtime.parking.queue_rows import TABLE
from pipeline.testing import TestRecord
from pipeline.testing.own_time import OwnTime
from pipeline.topics.records import Record
from tests.support.loop_stand_ins import FakeApp

VIRTUAL_HANG = 20_000.0
"""Seconds of virtual time, so that a test that hangs ends."""
TRY_AGAIN = 60.0
"""Seconds until an account that is away is tried again."""

Play = Callable[[FakeApp, ConcurrentLoop], Awaitable[None]]


def record(key: str, number: int, offset: int) -> TestRecord:
    """A record whose value is `<key> <number>`, and whose timestamp is 1,000 ms for each offset."""
    value = f"{key} {number}".encode()
    return TestRecord(value, key.encode(), topic="in", offset=offset, timestamp=1_000 * offset)


def fair_key(record: Any) -> tuple[str, str]:
    """The group is the part of the key before a slash."""
    key = record.key.decode()
    return key.partition("/")[0], key


class Site:
    """A stage whose keys may be away, or broken.

    Attributes:
        away: True while records of keys that contain `away` can't be worked on.
        broken: True while those of keys that contain `broken` raise.
        seconds: the time that each record takes.
        done: the values of finished records, in order.
    """

    def __init__(self, concurrency: int = 10) -> None:
        self.away = self.broken = True
        self.seconds = 0.001
        self.done: list[str] = []
        fairness = Fairness(key=fair_key, account=lambda fair_key: ":".join(fair_key[1].split(":")[:2]))
        self.stage = ConcurrentStage(
            "site", self._work, lambda each: each, lambda each: each.key, concurrency, fairness=fairness
        )

    async def _work(self, record: Any, _: ConcurrentContext) -> Iterable[Record]:
        if b"away" in record.key and self.away:
            raise KeyUnavailable("account cloud:1 is away", TRY_AGAIN)
        if b"broken" in record.key and self.broken:
            raise RuntimeError("a bug")
        await asyncio.sleep(self.seconds)
        self.done.append(record.value.decode())
        return [Record("out", record.key, record.value)]

    def numbers(self, key: str) -> list[int]:
        """The numbers of a key's finished records, in order."""
        return [int(number) for name, number in map(str.split, self.done) if name == key]


def app_of(max_bytes: int | None = None) -> FakeApp:
    """An app with a table of parked records that may have so many bytes."""
    app = FakeApp(tables=[TABLE], retries=RetryPolicy(max_attempts=3, initial_delay=1, max_delay=1))
    app.parking_max_bytes = max_bytes or app.parking_max_bytes
    return app


def play(app: FakeApp, site: Site, scene: Play, breaker: BreakerConfig = OFF) -> None:
    """Run a loop until the scene is over, then kill it."""

    async def run() -> None:
        app.group_breaker = lambda _: Breaker(breaker)
        loop = app.concurrent(site.stage, Breaker(OFF))
        running = asyncio.ensure_future(loop.run())
        try:
            async with asyncio.timeout(VIRTUAL_HANG):
                await scene(app, loop)
        finally:
            running.cancel()
            await asyncio.wait([running])

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(run())


async def until(condition: Callable[[], Any]) -> None:
    """Wait for a condition, in virtual time."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.02)


def rows(app: FakeApp) -> int:
    """The number of rows of the table, those of queues included."""
    return len(app.stores[TABLE].partition(0))
