"""Calls side by side: who waits for a connection has no intent, and what is away holds its own commands alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime

import pytest
from aiohttp import ClientSession
from prometheus_client import Gauge

from pipeline import clock
from pipeline.backoff import RetryPolicy
from pipeline.errors import CallWithheld, KeyUnavailable, RetryAfter
from pipeline.messenger import availability, call, dispatch, permits, routes, spending
from pipeline.messenger.availability import FAILURES, PROBE_WAIT
from pipeline.messenger.call import SLOT_REVIEW
from pipeline.messenger.command_state import CommandPhase, decode_state
from pipeline.messenger.dispatch import Dispatcher
from pipeline.messenger.executor import CommandExecutor
from pipeline.messenger.limits.pairs import PairLimit
from pipeline.messenger.slots import SlotBounds
from pipeline.metrics import SEND_BREAKERS_OPEN, SEND_CONNECTIONS
from pipeline.providers.base import AttemptStatus, SendAttempt, Slice, WebhookRequest
from pipeline.runtime.flows.stage import PartitionsRevoked
from pipeline.tenants import Account, Tenants, TenantsFile
from pipeline.testing import TestRecord
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.outcomes import Outcome, OutcomeStatus
from pipeline.topics.records import ConsumedRecord
from tests.support.waiting import HANG, until

HANGING, HEALTHY = "hanging", "healthy"
PER_ACCOUNT = 3
BOUNDS = SlotBounds(8, 4, PER_ACCOUNT)
ACCEPTED = SendAttempt(AttemptStatus.ACCEPTED, "wamid.1")
AWAY = SendAttempt(AttemptStatus.RETRYABLE, error_message="no connection", answered=False)


class Api:
    """A provider whose account `hanging` answers when it may, and then as `says` tells. It counts calls in order."""

    name = "cloud"
    kinds = frozenset(CommandKind)

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.answers = asyncio.Event()
        self.says = ACCEPTED

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> SendAttempt:
        self.calls.append(account.id)
        if account.id != HANGING:
            return ACCEPTED
        await self.answers.wait()
        return self.says

    def contact(self, recipient: str) -> str:
        return recipient

    def authenticate(self, request: WebhookRequest, tenants: Tenants) -> bool:
        return False

    def split(self, request: WebhookRequest, tenants: Tenants) -> Sequence[Slice]:
        return ()

    def parse(self, record: ConsumedRecord) -> Iterable[ParsedEvent]:
        return ()


class World:
    """The messenger's table and flow, for commands that run side by side. Permits come at once."""

    def __init__(self, api: Api, bounds: SlotBounds, rate: float) -> None:
        self.api = api
        self.record: ConsumedRecord = TestRecord(None)
        self.rows: dict[str, bytes] = {}
        self.permit_waits: list[float] = []
        self.revoked = asyncio.Event()
        self.dispatcher = Dispatcher({"cloud": api}, _tenants(rate), bounds)
        self._executor = CommandExecutor(self.dispatcher, 60)

    def get(self, key: str) -> bytes | None:
        return self.rows.get(key)

    def put(self, key: str, value: bytes) -> None:
        self.rows[key] = value

    async def wait(self, seconds: float) -> None:
        """A permit is waited for as long as it takes, a slot until partitions move."""
        if seconds != SLOT_REVIEW:
            self.permit_waits += [seconds] if seconds else []
            await asyncio.sleep(seconds)
            return
        await self.revoked.wait()
        raise PartitionsRevoked

    async def persist(self) -> None:
        await asyncio.sleep(0)

    def owned(self) -> bool:
        return True

    def intents(self) -> int:
        states = [decode_state(row) for key, row in self.rows.items() if key.startswith("cmd-")]
        return sum(state is not None and state.phase is CommandPhase.INTENT for state in states)

    def send(self, account: str, number: int, kind: CommandKind = CommandKind.TEXT) -> asyncio.Task[Outcome | None]:
        return asyncio.ensure_future(self._executor.execute(_command(account, number, kind), self, self))

    def send_many(self, account: str, count: int) -> list[asyncio.Task[Outcome | None]]:
        return [self.send(account, number) for number in range(count)]


def _tenants(rate: float) -> Tenants:
    def account(name: str) -> dict[str, object]:
        url = f"http://user:secret@{name}.example:3000"
        limits = {"messages_per_second": rate}
        return {"provider": "cloud", "id": name, "token": "t", "base_url": url, "limits": limits}

    tenants = [{"id": name, "accounts": [account(name)]} for name in (HANGING, HEALTHY)]
    return Tenants(TenantsFile.model_validate({"tenants": tenants}))


def _command(account: str, number: int, kind: CommandKind) -> Command:
    return Command(
        command_id=f"cmd-{account}-{number}",
        tenant_id=account,
        provider="cloud",
        account=account,
        recipient=f"1555000{number:04}",
        kind=kind,
        body={"text": "hi"},
        created_at=datetime.now(UTC),
    )


def _run(play: Callable[[World], Awaitable[None]], bounds: SlotBounds = BOUNDS, rate: float = 1e6) -> None:
    async def run() -> None:
        world = World(Api(), bounds, rate)
        try:
            async with asyncio.timeout(HANG):
                await play(world)
        finally:
            await world.dispatcher.close()

    asyncio.run(run())


@pytest.mark.parametrize("brief", [0.0, HANG], ids=["long waits", "brief waits"])
def test_a_gateway_that_hangs_costs_its_own_commands_alone(monkeypatch: pytest.MonkeyPatch, brief: float) -> None:
    """One gateway that takes calls and never answers would make every other tenant's send wait and fail."""
    monkeypatch.setattr(call, "BRIEF_WAIT", brief)

    async def play(world: World) -> None:
        hanging = world.send_many(HANGING, 300)
        await until(lambda: world.api.calls.count(HANGING) == PER_ACCOUNT)
        outcomes = await asyncio.gather(*world.send_many(HEALTHY, 20))
        assert [outcome and (outcome.status, outcome.retried) for outcome in outcomes] == [
            (OutcomeStatus.ACCEPTED, 0)
        ] * 20
        assert not any(task.done() for task in hanging)
        assert Counter(world.api.calls) == {HANGING: PER_ACCOUNT, HEALTHY: 20}
        world.api.answers.set()
        assert len(await asyncio.gather(*hanging)) == 300

    _run(play)


def test_who_waits_for_a_slot_has_no_intent() -> None:
    """Its intent would grow old in the queue, and a crash would leave hundreds of sends in doubt that nobody made."""

    async def play(world: World) -> None:
        hanging = world.send_many(HANGING, 100)
        await until(lambda: world.intents() == PER_ACCOUNT)
        await until(lambda: _metric(SEND_CONNECTIONS, "waiting") == 100 - PER_ACCOUNT)
        assert _metric(SEND_CONNECTIONS, "in use") == PER_ACCOUNT
        assert world.intents() == PER_ACCOUNT
        world.api.answers.set()
        await asyncio.gather(*hanging)

    _run(play)


def test_a_wait_that_a_rebalance_ends_leaves_no_slot_taken() -> None:
    """After some rebalances no slot would be left, and nothing could be sent."""

    async def play(world: World) -> None:
        hanging = world.send_many(HANGING, 100)
        await until(lambda: world.api.calls.count(HANGING) == PER_ACCOUNT)
        await until(lambda: _metric(SEND_CONNECTIONS, "waiting") == 100 - PER_ACCOUNT)
        world.revoked.set()
        await until(lambda: sum(task.done() for task in hanging) == 100 - PER_ACCOUNT)
        assert {type(task.exception()) for task in hanging if task.done()} == {PartitionsRevoked}
        world.dispatcher.reset()
        world.api.answers.set()
        await asyncio.wait(hanging)
        assert (_metric(SEND_CONNECTIONS, "waiting"), _metric(SEND_CONNECTIONS, "in use")) == (0, 0)
        world.revoked.clear()
        assert len(await asyncio.gather(*world.send_many(HANGING, 50))) == 50

    _run(play)


@pytest.mark.parametrize(("lifetime", "waits"), [(0.0, 1), (HANG, 0)], ids=["old", "fresh"])
def test_permits_that_have_grown_old_in_the_queue_do_not_become_a_burst(
    monkeypatch: pytest.MonkeyPatch, lifetime: float, waits: int
) -> None:
    """Twenty calls of a number that hung would be followed by twenty at once, and the provider would throttle it."""
    monkeypatch.setattr(dispatch, "PERMIT_LIFETIME", lifetime)
    monkeypatch.setattr(permits, "MAX_PERMIT_WAIT", HANG * 1_000)
    monkeypatch.setattr(spending, "BURST_SECONDS", 2_000)

    async def play(world: World) -> None:
        world.rows[f"limit:cloud:{HANGING}"] = b"[0,0,0]"  # two may go at once, and the third in a quarter of an hour
        tasks = world.send_many(HANGING, 2)
        await until(lambda: _metric(SEND_CONNECTIONS, "waiting") == 1)
        world.api.answers.set()
        await until(lambda: sum(task.done() for task in tasks) + len(world.permit_waits) == 2)
        assert len(world.permit_waits) == waits
        for task in tasks:
            task.cancel()

    _run(play, SlotBounds(1, 1, 1), rate=0.001)


@pytest.mark.parametrize(("age", "called"), [(0.0, 1), (HANG, 2)], ids=["held up", "at once"])
def test_calls_that_the_broker_held_up_together_do_not_become_a_burst(
    monkeypatch: pytest.MonkeyPatch, age: float, called: int
) -> None:
    """Intents that a broker confirms after seconds would be followed by all of their calls at once."""
    monkeypatch.setattr(dispatch, "MAX_PERMIT_AGE", age)
    monkeypatch.setattr(permits, "MAX_RENEWAL_WAIT", 0.0)
    monkeypatch.setattr(spending, "BURST_SECONDS", 3_000)

    async def play(world: World) -> None:
        world.rows[f"limit:cloud:{HEALTHY}"] = b"[0,0,0]"  # three may go at once
        ends = await asyncio.gather(*world.send_many(HEALTHY, 2), return_exceptions=True)
        assert len(world.api.calls) == called, "there is one permit more, which replaces one of two that are too old"
        assert sum(isinstance(end, CallWithheld) for end in ends) == 2 - called
        assert world.intents() == 0

    _run(play, rate=0.001)


def test_a_command_whose_permit_is_far_ahead_reserves_none() -> None:
    """A slow number's commands would leave memory with permits that nobody uses, and it would send less than it may."""

    async def play(world: World) -> None:
        errors = [await _failure(world.send(HANGING, number)) for number in range(100)]
        delays = [error.delay for error in errors if isinstance(error, KeyUnavailable) and not error.probing]
        assert len(delays) == 100
        assert delays == sorted(delays, reverse=True), "none of them moves the permit further ahead"
        assert delays[0] <= 20 - permits.MAX_PERMIT_WAIT / 2
        assert world.api.calls == []
        world.api.answers.set()
        assert await world.send(HEALTHY, 1, CommandKind.READ)

    _run(play, rate=0.05)


def test_messages_that_a_number_receives_use_its_rate() -> None:
    """Meta counts both directions: a busy number would be throttled for what its users write."""

    async def play(world: World) -> None:
        world.api.answers.set()
        world.rows[f"limit:cloud:{HEALTHY}"] = b"[0,0,0]"
        old, now = clock.steady() - dispatch.INBOUND_AGE - 1, clock.steady()
        world.dispatcher.charge(f"cloud:{HEALTHY}", 1_000, old, world.get)
        assert await world.send(HEALTHY, 1)
        world.dispatcher.charge(f"cloud:{HEALTHY}", 1_000, now, world.get)
        world.dispatcher.charge("cloud:nobody", 1_000, now, world.get)
        assert isinstance(await _failure(world.send(HEALTHY, 2)), KeyUnavailable)

    _run(play, rate=0.5)


def test_a_message_counts_for_its_person_from_when_it_is_answered() -> None:
    """The provider counts when it arrives: the next one would come too early by the time that this one took."""

    async def play(world: World) -> None:
        sent = world.send(HANGING, 1)
        await until(lambda: bool(world.api.calls))
        (permitted,) = world.dispatcher._permits._accounts.values()
        pairs, person = permitted.limiter._pairs, _command(HANGING, 1, CommandKind.TEXT).recipient
        assert pairs is not None
        spent, answered = pairs.state(person).spent_until, clock.steady()
        world.api.answers.set()
        assert await sent
        assert spent < answered + PairLimit().interval <= pairs.state(person).spent_until

    _run(play)


def test_a_read_mark_waits_for_a_slot_and_for_no_permit() -> None:
    """A person would see the message unread for as long as the number's campaign takes."""

    async def play(world: World) -> None:
        world.api.answers.set()
        await asyncio.gather(*(world.send(HANGING, number, CommandKind.READ) for number in range(10)))
        assert world.permit_waits == []

    _run(play, rate=0.001)


def _fast_probes(monkeypatch: pytest.MonkeyPatch, delay: float = 0.0) -> None:
    monkeypatch.setattr(availability, "PROBES", RetryPolicy(max_attempts=None, initial_delay=delay, max_delay=delay))


async def _go_away(world: World) -> list[BaseException]:
    """Let the account's gateway be away, and send until its breaker has opened."""
    world.api.says = AWAY
    world.api.answers.set()
    return [await _failure(world.send(HANGING, number)) for number in range(FAILURES)]


async def _failure(task: asyncio.Task[Outcome | None]) -> BaseException:
    await asyncio.wait([task])
    error = task.exception()
    assert error is not None
    return error


def test_an_account_whose_gateway_is_away_is_held_and_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A thousand commands would be tried one by one, each up to its timeout, and their retries hide the others."""
    _fast_probes(monkeypatch, 60.0)

    async def play(world: World) -> None:
        errors = await _go_away(world)
        assert [type(error) for error in errors] == [RetryAfter] * (FAILURES - 1) + [KeyUnavailable]
        (log,) = _logs(caplog)
        assert (log["event"], log["tenant"], log["account"]) == ("account_unavailable", HANGING, HANGING)
        calls, rows = len(world.api.calls), dict(world.rows)
        held = await _failure(world.send(HANGING, 99))
        assert isinstance(held, KeyUnavailable)
        assert 0 < held.delay <= 75
        assert held.held_by == "unanswered", "metrics name it"
        assert (len(world.api.calls), world.rows) == (calls, rows), "it is neither called nor in doubt"
        assert _metric(SEND_BREAKERS_OPEN, "account") == 1
        assert _metric(SEND_BREAKERS_OPEN, "host") == 0
        assert await world.send(HEALTHY, 1)

    _run(play)


def test_one_probe_decides_for_all_that_is_held(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A gateway that is just coming back would be hit by everything that has waited for it."""
    _fast_probes(monkeypatch)

    async def play(world: World) -> None:
        await _go_away(world)
        world.api.answers.clear()
        world.api.says = ACCEPTED
        calls = len(world.api.calls)
        probe, *others = [world.send(HANGING, 300 + number) for number in range(10)]
        await until(lambda: len(world.api.calls) > calls)
        errors = [await _failure(other) for other in others]
        assert {(type(error), getattr(error, "delay", None)) for error in errors} == {(KeyUnavailable, PROBE_WAIT)}
        assert len(world.api.calls) == calls + 1
        world.api.answers.set()
        assert await probe
        assert [log["event"] for log in _logs(caplog)] == ["account_unavailable", "account_available"]
        assert _metric(SEND_BREAKERS_OPEN, "account") == 0
        assert await world.send(HANGING, 400)

    _run(play)


def test_commands_that_wait_for_a_slot_are_held_with_their_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would be called one after the other though it is known that nobody answers."""
    _fast_probes(monkeypatch, 60.0)

    async def play(world: World) -> None:
        tasks = world.send_many(HANGING, 100)
        await until(lambda: _metric(SEND_CONNECTIONS, "waiting") == 100 - PER_ACCOUNT)
        world.api.says = AWAY
        world.api.answers.set()
        errors = [await _failure(task) for task in tasks]
        assert len(world.api.calls) <= FAILURES + PER_ACCOUNT
        assert sum(isinstance(error, KeyUnavailable) for error in errors) >= 100 - FAILURES
        assert world.intents() == 0

    _run(play)


def test_commands_that_wait_for_a_permit_are_held_with_their_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would stay in memory for a number that nobody can reach, and the probe wait behind them."""
    _fast_probes(monkeypatch, 60.0)
    monkeypatch.setattr(permits, "MAX_PERMIT_WAIT", HANG * 1_000_000)
    monkeypatch.setattr(spending, "BURST_SECONDS", 1_000 * FAILURES)

    async def play(world: World) -> None:
        world.rows[f"limit:cloud:{HANGING}"] = b"[0,0,0]"
        tasks = world.send_many(HANGING, 50)
        await until(lambda: len(world.permit_waits) == 50 - FAILURES)
        world.api.says = AWAY
        world.api.answers.set()
        errors = [await _failure(task) for task in tasks]
        assert sum(isinstance(error, KeyUnavailable) and error.whole_group for error in errors) >= 50 - FAILURES
        assert len(world.api.calls) == FAILURES

    _run(play, rate=0.001)


def test_a_rebalance_forgets_what_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that comes from another worker would be held for what this one saw long ago."""
    _fast_probes(monkeypatch, 60.0)

    async def play(world: World) -> None:
        await _go_away(world)
        world.dispatcher.reset()
        world.api.says = ACCEPTED
        assert await world.send(HANGING, 200)

    _run(play)


def test_accounts_that_rest_take_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker with fifty thousand accounts would keep what it knows of each that has ever sent."""
    monkeypatch.setattr(routes, "MAX_ROUTES", 1)

    async def play(world: World) -> None:
        hanging = world.send_many(HANGING, 10)
        await until(lambda: _metric(SEND_CONNECTIONS, "in use") == PER_ACCOUNT)
        assert await world.send(HEALTHY, 1)
        assert _metric(SEND_CONNECTIONS, "in use") == PER_ACCOUNT, "who has calls is not forgotten"
        world.api.answers.set()
        await asyncio.gather(*hanging)
        before = world.dispatcher._routes.find("cloud", HANGING)
        world.dispatcher.reset()
        assert world.dispatcher._routes.find("cloud", HANGING) is not before

    _run(play)


def _metric(gauge: Gauge, label: str) -> float:
    (metric,) = gauge.collect()
    return sum(sample.value for sample in metric.samples if label in sample.labels.values())


def _logs(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [record.msg for record in caplog.records if isinstance(record.msg, dict)]
