"""What waits, what holds it and until when: by partition, and by the accounts of which most waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest
from prometheus_client import Gauge

from pipeline.errors import KeyUnavailable, RetryAfter
from pipeline.messenger.limits.account import Limit
from pipeline.metrics import (
    ACCOUNTS_HELD,
    HELD_SECONDS,
    LABELS,
    TOP,
    TOP_HELD_SECONDS,
    TOP_WAITING_RECORDS,
    WAITING_RECORDS,
)
from pipeline.runtime.flows.breaker import OFF, Breaker
from pipeline.runtime.flows.concurrent_loop import ConcurrentLoop
from pipeline.runtime.flows.fairness import Fairness
from pipeline.runtime.flows.stage import ConcurrentContext, ConcurrentStage
from pipeline.runtime.flows.waiting_metric import WaitingMetric
from pipeline.runtime.flows.waits import HeldBy, Wait, Waits, by_account
from pipeline.testing.own_time import OwnTime
from pipeline.topics.records import Record
from tests.support.loop_stand_ins import TP0, FakeApp
from tests.unit.runtime.parking.scene import VIRTUAL_HANG, app_of, record, until

NUMBER = "491771234567"
LOOK = 31
"""Seconds after which records that wait have left the window."""
PAIR_LASTS, DAY_LASTS, AGAIN = 240.0, 30_000.0, 60.0


class Numbers:
    """A stage that sends for accounts, which do what the key of a record `tenant/account:conversation` says."""

    def __init__(self) -> None:
        fairness = Fairness(
            key=lambda each: (_group(each), each.key.decode()),
            account=lambda fair_key: fair_key[0].partition("/")[2],
            owner=lambda group: group.partition("/")[0],
        )
        self.stage = ConcurrentStage(
            "numbers", self._work, lambda each: each, lambda each: each.key, 10, fairness=fairness
        )
        self.open = asyncio.Event()

    async def _work(self, record: Any, context: ConcurrentContext) -> Iterable[Record]:
        key = record.key.decode()
        if "pair" in key and not self.open.is_set():
            raise KeyUnavailable("at the pair limit", AGAIN, probing=False, held_by="pair", lasts=PAIR_LASTS)
        if "day" in key and not self.open.is_set():
            raise KeyUnavailable("the day", AGAIN, whole_group=True, held_by="messages_per_day", lasts=DAY_LASTS)
        if "paused" in key and not self.open.is_set():
            raise KeyUnavailable("paused", AGAIN, whole_group=True, held_by="operator", lasts=float("inf"))
        if "later" in key and not self.open.is_set():
            raise RetryAfter("its next try is due later", 300)
        if "permit" in key:
            await context.wait(0.5)
        if "runs" in key:
            await self.open.wait()
        return []


def _group(record: Any) -> str:
    """The tenant and the account of a record's key."""
    key: str = record.key.decode()
    return key.partition(":")[0]


def play(scene: Callable[[FakeApp, ConcurrentLoop], Awaitable[None]]) -> None:
    async def run() -> None:
        app = app_of()
        app.group_breaker = lambda _: Breaker(OFF)
        loop = app.concurrent(Numbers().stage, Breaker(OFF))
        running = asyncio.ensure_future(loop.run())
        try:
            async with asyncio.timeout(VIRTUAL_HANG):
                await scene(app, loop)
        finally:
            running.cancel()
            await asyncio.wait([running])

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(run())


def counts(waits: Waits) -> dict[str, dict[str, int]]:
    """The numbers of records, by account and what they wait for."""
    return {
        account: {held_by: wait.records for held_by, wait in found.items()}
        for (_, account), found in by_account(waits).items()
    }


def seconds(waits: Waits, account: str, held_by: str) -> float:
    (found,) = (each for (_, name), each in by_account(waits).items() if name == account)
    return found[held_by].ends_at - asyncio.get_running_loop().time()


def keys(account: str, conversations: int, each: int) -> list[str]:
    return [f"t/{account}:{n}-{NUMBER}" for n in range(conversations) for _ in range(each)]


def feed(loop: ConcurrentLoop, found: list[str]) -> None:
    loop.buffer.add(TP0, [record(key, n, n) for n, key in enumerate(found)])


def test_each_record_is_counted_once_under_what_holds_it_in_the_window_and_parked() -> None:
    """An operator would look for a slow gateway while a day's recipients are used up."""
    found = keys("pair", 5, 3) + keys("day", 4, 2) + keys("paused", 2, 2) + keys("later", 2, 2) + keys("runs", 3, 2)
    expected = {
        "pair": {"pair": 15},
        "day": {"messages_per_day": 8},
        "paused": {"operator": 4},
        "later": {HeldBy.RETRY: 4},
        "runs": {HeldBy.NOTHING: 6},
    }

    async def scene(_: FakeApp, loop: ConcurrentLoop) -> None:
        feed(loop, found)
        await asyncio.sleep(0.1)
        assert counts(loop.waits()) == expected
        assert loop.work()[TP0].parked == 0
        await asyncio.sleep(LOOK)
        assert loop.work()[TP0].parked > 20
        assert counts(loop.waits()) == expected, "parked records wait for the same"

    play(scene)


def test_it_ends_when_the_limit_does_and_not_at_the_next_look() -> None:
    """A day's limit would seem to end within a minute, every minute again."""

    async def scene(_: FakeApp, loop: ConcurrentLoop) -> None:
        feed(loop, keys("pair", 2, 1) + keys("day", 2, 1) + keys("paused", 1, 1) + keys("later", 1, 1))
        await asyncio.sleep(0.1)
        waits = loop.waits()
        assert seconds(waits, "pair", "pair") == pytest.approx(PAIR_LASTS - 0.1, abs=0.01)
        assert seconds(waits, "day", "messages_per_day") == pytest.approx(DAY_LASTS - 0.1, abs=0.01)
        assert seconds(waits, "later", HeldBy.RETRY) == pytest.approx(300 - 0.1, abs=0.1)
        assert seconds(waits, "paused", "operator") == float("inf")
        held, cause = loop.parked.hold("t", "t/day")
        assert held is not None
        assert (round(held), cause) == (60, "KeyUnavailable: the day")

    play(scene)


def test_a_record_that_waits_for_a_permit_is_in_work() -> None:
    """A campaign at its rate would look as if its calls failed."""

    async def scene(_: FakeApp, loop: ConcurrentLoop) -> None:
        feed(loop, keys("permit", 1, 4))
        await asyncio.sleep(0.1)
        assert counts(loop.waits()) == {"permit": {HeldBy.IN_WORK: 4}}
        await until(lambda: not loop.waits())

    play(scene)


def test_nothing_is_counted_of_partitions_that_have_moved() -> None:
    """Two workers would count the same records."""

    async def scene(app: FakeApp, loop: ConcurrentLoop) -> None:
        feed(loop, keys("pair", 3, 1))
        await asyncio.sleep(0.1)
        assert counts(loop.waits()) == {"pair": {"pair": 3}}
        app.assignment.epoch += 1
        assert loop.waits() == {}

    play(scene)


def series(gauge: Gauge, *labels: str) -> dict[tuple[str, ...], float]:
    """The values of a metric's series of the app `a-test`, by these labels."""
    return {
        tuple(each.labels[label] for label in labels): each.value
        for metric in gauge.collect()
        for each in metric.samples
        if each.labels["app"] == "a-test"
    }


def test_metrics_have_all_partitions_and_the_accounts_of_which_most_waits() -> None:
    """A thousand accounts would be a thousand series, a customer's number a label, or the worst account in none."""
    metric, accounts = WaitingMetric("a-test"), TOP + 5

    async def scene(_: FakeApp, loop: ConcurrentLoop) -> None:
        found = [key for n in range(accounts) for key in keys(f"pair{n}", n + 1, 1)] + keys("runs", 1, 100)
        feed(loop, found)
        await asyncio.sleep(0.1)
        metric.add("in", {0, 1}, loop.waits())
        records, top = metric.show()
        held = sum(range(1, accounts + 1))
        by_cause = series(WAITING_RECORDS, "topic", "partition", "held_by")
        assert by_cause == {("in", "0", "pair"): held, ("in", "0", "nothing"): 100}
        assert series(ACCOUNTS_HELD, "held_by") == {("pair",): accounts, ("nothing",): 1}
        assert 0 < series(HELD_SECONDS, "held_by")["pair",] < PAIR_LASTS
        tops = series(TOP_WAITING_RECORDS, "tenant", "account", "held_by")
        expected = {("t", f"pair{n}", "pair"): n + 1 for n in range(accounts - TOP + 1, accounts)}
        assert tops == {**expected, ("t", "runs", "nothing"): 100}
        assert top[:2] == [("t", "runs"), ("t", f"pair{accounts - 1}")]
        assert NUMBER not in str(tops)
        assert records[0, "t", "pair3"] == {"pair": 4}, "the accounts that have no series are told, too"
        assert set(series(TOP_HELD_SECONDS, "held_by")) == {("pair",)}

        metric.add("in", {1}, loop.waits())
        assert metric.show() == ({}, [])
        for gauge in (WAITING_RECORDS, TOP_WAITING_RECORDS, HELD_SECONDS):
            assert series(gauge, "app") == {}

    play(scene)


def test_two_flows_of_an_app_are_one_account() -> None:
    """A number's replies and its campaign would be two numbers, and push others out of the top."""
    metric = WaitingMetric("a-test")

    async def run() -> None:
        place, now = (7, "t", "cloud:1"), asyncio.get_running_loop().time()
        metric.add("commands.bulk", {7}, {place: {"pair": Wait(10, now + 90), "turn": Wait(5)}})
        metric.add("commands.interactive", {7}, {place: {"pair": Wait(2, now + 30)}})
        records, top = metric.show()
        assert (records, top) == ({place: {"pair": 12, "turn": 5}}, [("t", "cloud:1")])
        assert series(WAITING_RECORDS, "topic", "held_by") == {
            ("commands.bulk", "pair"): 10,
            ("commands.bulk", "turn"): 5,
            ("commands.interactive", "pair"): 2,
        }
        assert series(TOP_HELD_SECONDS, "held_by")["pair",] == pytest.approx(30, abs=1)
        metric.show()

    asyncio.run(run())


def test_every_name_of_what_holds_records_is_explained() -> None:
    """A dashboard would say `turn`, and nobody what that is."""
    names = {*HeldBy, *Limit, "operator", "provider", "unanswered", "other"}
    assert {name for name in names if f"`{name}`" not in LABELS["held_by"]} == set()
