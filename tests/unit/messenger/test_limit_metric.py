"""The metrics of limits say what a dispatcher knows, of the accounts that they are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import Gauge

from pipeline.messenger.accounts import AccountFacts
from pipeline.messenger.controls import Controls
from pipeline.messenger.dispatch import Dispatcher
from pipeline.messenger.limit_metric import BACKLOG, LimitMetric, Records
from pipeline.messenger.limits.account import AccountLimiter, RateUse, Send
from pipeline.messenger.limits.use import SPAN
from pipeline.messenger.slots import SlotBounds
from pipeline.metrics import ACCOUNTS_LOWERED, ALLOWANCE_USED, TOP_LIMIT_USED, TOP_RATE, TOP_THROTTLES
from pipeline.providers import PROVIDERS
from pipeline.tenants import Tenants, TenantsFile

LIMITS = {"messages_per_second": 80, "messages_per_day": 1_000, "template_recipients_per_day": 250}
KNOWN = Tenants(
    TenantsFile.model_validate(
        {
            "tenants": [
                {
                    "id": "acme",
                    "accounts": [
                        {"provider": "cloud", "id": name, "token": "t", "limits": LIMITS} for name in ("1", "2")
                    ],
                }
            ]
        }
    )
)


@pytest.fixture(autouse=True)
def no_series() -> None:
    for gauge in (ALLOWANCE_USED, TOP_RATE, TOP_LIMIT_USED, TOP_THROTTLES):
        gauge.clear()


def series(gauge: Gauge, *labels: str) -> dict[tuple[str, ...], float]:
    """The values of a metric's series, by these labels."""
    return {
        tuple(each.labels[label] for label in labels): each.value
        for metric in gauge.collect()
        for each in metric.samples
    }


class World:
    """A dispatcher under a clock of its own, and the facts about its accounts."""

    def __init__(self) -> None:
        self.now = 1e9
        self.rows: dict[str, bytes] = {}
        self.dispatcher = Dispatcher(PROVIDERS, KNOWN, SlotBounds(1, 1, 1), now=lambda: self.now)
        self.facts = AccountFacts(
            KNOWN, Controls(KNOWN), self.dispatcher.describe, use=self.dispatcher.rate_use, now=lambda: self.now
        )

    def limiter(self, account: str) -> AccountLimiter:
        """The limits of an account that this process sends for."""
        found = KNOWN.account("cloud", account)
        assert found is not None
        return self.dispatcher._permits.of(found, self.rows.get).limiter


def play(scene: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        world = World()
        try:
            await scene(world)
        finally:
            world.facts.show({}, [])
            await world.dispatcher.close()

    asyncio.run(run())


def test_the_accounts_that_are_asked_for_have_series_and_no_others() -> None:
    """Fifty thousand accounts would be a million series; or the one that waits would have none."""

    async def scene(world: World) -> None:
        world.limiter("2")
        limiter = world.limiter("1")
        world.now += 10
        for _ in range(20):
            limiter.take(world.now)
            limiter.spend(Send("ada"), world.now)
        limiter.charge(world.now, 10)
        limiter.throttled(world.now, 0)
        world.facts.show({}, [("acme", "cloud:1")])
        rates = series(TOP_RATE, "account", "rate")
        values = {"configured": 80, "allowed": 40, "sent": 2, "received": 1}
        assert rates == {("cloud:1", name): value for name, value in values.items()}
        used = series(TOP_LIMIT_USED, "account", "limit")
        assert used["cloud:1", "messages_per_second"] == 0.075
        assert used["cloud:1", "messages_per_day"] == 0.02
        assert used["cloud:1", "template_recipients_per_day"] == 0
        assert series(TOP_THROTTLES, "tenant", "account") == {("acme", "cloud:1"): 1}
        shown = world.facts.describe("cloud:1")["limits"]["messages_per_second"]
        assert (shown["allowed"], shown["sent"], shown["throttles"]) == (40, 2, 1), "the same as `accounts show` has"
        assert shown["recovery_seconds"] == 50
        world.facts.show({}, [("acme", "cloud:2")])
        assert {account for account, _ in series(TOP_RATE, "account", "rate")} == {"cloud:2"}
        assert series(TOP_THROTTLES, "account") == {("cloud:2",): 0}

    play(scene)


def test_an_account_that_this_process_has_not_sent_for_has_no_series() -> None:
    """An allowance that nobody measured would be shown as unused."""

    async def scene(world: World) -> None:
        world.facts.show({(0, "acme", "cloud:1"): {"turn": 9_999}}, [("acme", "cloud:1"), ("gone", "cloud:9")])
        assert series(TOP_RATE, "account") == {}
        assert series(ALLOWANCE_USED, "partition") == {}

    play(scene)


def test_throttled_accounts_are_counted_until_they_have_recovered_without_a_look_at_them() -> None:
    """Nobody would see that a provider lowers all numbers at once, or one that rests would count for ever."""

    def lowered() -> float:
        return series(ACCOUNTS_LOWERED, "provider")["cloud",]

    async def scene(world: World) -> None:
        assert lowered() == 0
        for name in ("1", "2"):
            world.limiter(name).throttled(world.now, 0)
        assert lowered() == 2
        world.now += 49
        assert lowered() == 2
        world.now += 2
        assert lowered() == 0

    play(scene)


class Use:
    """Accounts whose use is what a test says, under a clock of its own."""

    def __init__(self, **used: RateUse) -> None:
        self.now = 0.0
        self.used = used
        self.metric = LimitMetric(lambda _: {}, self.used.get, lambda: self.now)

    def look(self, waiting: Records, seconds: float = 15) -> dict[tuple[str, ...], float]:
        self.metric.show(waiting, [])
        self.now += seconds
        return series(ALLOWANCE_USED, "partition")


def test_the_allowance_is_that_of_accounts_with_much_to_send_for_a_minute() -> None:
    """An account with three messages a minute would look as if it wasted its allowance."""
    use = Use(busy=RateUse(60, 80, False), quiet=RateUse(1, 80, False))
    waiting = {(3, "t", "busy"): {"messages_per_second": 400, "nothing": 100}, (3, "t", "quiet"): {"nothing": 3}}
    looks = [use.look(waiting) for _ in range(6)]
    assert looks == [{}] * 4 + [{("3",): 0.75}] * 2
    assert use.look({(3, "t", "busy"): {"nothing": 3}}) == {}
    assert [use.look(waiting) for _ in range(5)][-2:] == [{}, {("3",): 0.75}], "a minute begins anew"


@pytest.mark.parametrize("held_by", ["pair", "operator", "provider", "unanswered", "messages_per_day", "breaker"])
def test_what_anything_else_holds_is_no_unused_allowance(held_by: str) -> None:
    """Whoever pauses a number would be woken, because it does not send."""
    use = Use(held=RateUse(0, 80, False))
    waiting = {(3, "t", "held"): {held_by: 100_000, "nothing": 5}}
    assert [use.look(waiting) for _ in range(6)][-1] == {}


def test_a_throttled_account_is_left_out_and_nobody_makes_up_for_another() -> None:
    """The rate that climbs back would be an allowance that nobody uses; or a burst would hide a slow number."""
    use = Use(slow=RateUse(40, 80, False), fast=RateUse(160, 80, False), throttled=RateUse(0, 40, True))
    waiting = {(part, "t", name): {"turn": BACKLOG} for part, name in ((1, "slow"), (1, "fast"), (2, "throttled"))}
    assert [use.look(waiting) for _ in range(6)][-1] == {("1",): 0.75}
    assert SPAN == 60
