"""Controls under load: the stage `send` in its own loop, with parking and holds, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import ClientSession

from pipeline.agents.send import fair_key, send
from pipeline.messenger.command_state import CommandPhase, decode_state
from pipeline.messenger.connections import require_write_guard
from pipeline.messenger.control_updates import ControlUpdates
from pipeline.messenger.controls import ControlChange, Controls
from pipeline.messenger.dispatch import Dispatcher
from pipeline.messenger.executor import CommandExecutor
from pipeline.messenger.lifetimes import Lifetimes
from pipeline.messenger.permits import REVIEW_INTERVAL
from pipeline.messenger.slots import SlotBounds
from pipeline.metrics import ACCOUNTS_LOWERED, CONTROLS
from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.providers.cloud import error_codes
from pipeline.runtime import Fairness
from pipeline.runtime.flows.breaker import OFF, Breaker
from pipeline.runtime.flows.waits import by_account
from pipeline.runtime.parking.queue_rows import TABLE
from pipeline.tenants import Account
from pipeline.testing import TestRecord
from pipeline.testing.own_time import OwnTime
from pipeline.topics.catalogue import SENT
from pipeline.topics.codec import decode_outcome, encode_command
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.controls import OperatorControl
from pipeline.topics.lifetimes import DAY
from pipeline.topics.outcomes import Outcome, OutcomeStatus
from tests.support.controls import START, at, limit, pause, record, tenants
from tests.support.loop_stand_ins import TP0, FakeApp

FAST = 1e6
"""A limit in messages per second that stops nobody."""
LATENCY = 0.1
VIRTUAL_HANG = 3_600.0
PROMPT = 1.0
"""Seconds within which the messenger obeys."""


class Api:
    """A provider.

    Attributes:
        calls: the time, the account and the command of each message, in order.
        connecting: seconds until a request may be written.
        uploads: requests that precede each message.
    """

    name = "cloud"
    kinds = frozenset(CommandKind)
    codes = error_codes.TABLE

    def __init__(self) -> None:
        self.calls: list[tuple[float, str, str]] = []
        self.connecting = 0.0
        self.uploads = 0

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> SendAttempt:
        await asyncio.sleep(self.connecting)
        for _ in range(self.uploads):
            require_write_guard()
            await asyncio.sleep(5)
        require_write_guard()
        self.calls.append((asyncio.get_running_loop().time(), account.id, command.command_id))
        await asyncio.sleep(LATENCY)
        return SendAttempt(AttemptStatus.ACCEPTED, f"wamid.{command.command_id}")

    def contact(self, recipient: str) -> str:
        return recipient

    def of(self, account: str, since: float = 0.0) -> list[str]:
        """The commands that were sent for an account, from a time on."""
        return [command for when, sender, command in self.calls if sender == account and when >= since]


class World:
    """A messenger with its controls, in one process."""

    def __init__(self) -> None:
        self.api = Api()
        self.ahead = 0.0
        self.app = FakeApp(tables=[SENT, TABLE])
        self.controls = Controls(tenants(FAST, acme=["1", "2"], globex=["3"]))
        self._dispatcher = Dispatcher(
            {"cloud": self.api},  # type: ignore[dict-item]
            self.controls._tenants,  # type: ignore[arg-type]
            SlotBounds(100, 100, 100),
            controls=self.controls,
            now=self.now,
        )
        executor = CommandExecutor(self._dispatcher, 60, now=self.now, lifetimes=Lifetimes(), controls=self.controls)
        stage = send(executor, Fairness(fair_key, account=lambda key: key[0], owner=self._owner))
        self.loop = self.app.concurrent(stage, Breaker(OFF))
        self.updates = ControlUpdates(self.controls, self._apply, self.now)
        self._offset = 0

    def now(self) -> float:
        """The wall clock, which may be set."""
        return START + self.time + self.ahead

    @staticmethod
    def _owner(account: str) -> str:
        return "globex" if account == "cloud:3" else "acme"

    @property
    def time(self) -> float:
        return asyncio.get_running_loop().time()

    def _apply(self, change: ControlChange) -> None:
        if change.rate_changed:
            self._dispatcher.change_limit(change.account)
        self.loop.end_hold(f"cloud:{change.account.id}")

    def decide(self, *controls: OperatorControl) -> None:
        for each in controls:
            self.updates.apply(record(each))

    def feed(self, account: str, number: int, kind: CommandKind = CommandKind.TEXT) -> list[str]:
        """Let commands arrive, for ten people in turn; return their ids."""
        tenant, first = {"3": "globex"}.get(account, "acme"), self._offset
        made = [
            Command(
                command_id=f"cmd-{each:05}",
                tenant_id=tenant,
                provider="cloud",
                account=account,
                recipient=f"person-{each % 10}",
                kind=kind,
                body={"text": "hi"},
                created_at=at(self.time),
            )
            for each in range(first, first + number)
        ]
        self._offset += number
        for offset, each in enumerate(made, first):
            made_of, stamp = encode_command(each), int(self.now() * 1000)
            self.loop.buffer.add(
                TP0, [TestRecord(made_of.value, made_of.key, topic="in", offset=offset, timestamp=stamp)]
            )
        return [each.command_id for each in made]

    def outcomes(self) -> dict[str, Outcome]:
        made = (decode_outcome(TestRecord(value)) for value in self.app.publisher.published)
        return {outcome.command_id: outcome for outcome in made}

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait in virtual time."""
        async with asyncio.timeout(VIRTUAL_HANG):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert condition(), what

    async def close(self) -> None:
        await self.updates.close()
        await self._dispatcher.close()


def play(scene: Callable[[World], Awaitable[None]]) -> None:
    """Run a messenger until the scene is over, then kill it."""

    async def run() -> None:
        world = World()
        await world.updates.start()
        running = asyncio.ensure_future(world.loop.run())
        try:
            await scene(world)
        finally:
            running.cancel()
            await asyncio.wait([running])
            await world.close()
            for gauge in (CONTROLS, ACCOUNTS_LOWERED):  # they ask this world when they are read
                gauge.clear()

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(run())


def in_order(commands: list[str]) -> bool:
    """Whether each person got the messages in their order, and each once."""
    people = [[each for each in commands if int(each[-1]) == person] for person in range(10)]
    return all(each == sorted(set(each)) for each in people)


def test_a_pause_holds_at_once_under_load_and_what_waited_is_sent_once_and_in_order() -> None:
    """A broken campaign would go on for a minute after its number was paused, or be lost or doubled afterwards."""

    async def scene(world: World) -> None:
        first, second = world.feed("1", 300), world.feed("2", 300)
        await world.until(lambda: world.api.of("1"), "load")
        world.decide(pause("1"))
        paused_at = world.time
        await world.until(lambda: set(world.api.of("2")) == set(second), "the other number goes on")
        sent = world.api.of("1")
        assert 0 < len(sent) < len(first)
        assert world.api.of("1", paused_at + PROMPT) == []
        await asyncio.sleep(3_600)
        assert world.api.of("1") == sent
        work = world.loop.work()[TP0]
        assert (work.runnable, work.loaded) == (0, 0), "more workers would be started for what nobody may send"
        assert work.held + work.parked == len(first) - len(sent)

        world.decide(pause("1", active=False))
        resumed_at = world.time
        await world.until(lambda: len(world.api.of("1")) > len(sent), "it goes on")
        assert world.time < resumed_at + PROMPT
        await world.until(lambda: len(world.outcomes()) == 600, "all outcomes")
        assert sorted(world.api.of("1")) == first
        assert in_order(world.api.of("1"))
        assert in_order(world.api.of("2"))
        assert {(each.status, each.retried) for each in world.outcomes().values()} == {(OutcomeStatus.ACCEPTED, 0)}
        assert world.time < resumed_at + 60, "one after the other"

    play(scene)


@pytest.mark.parametrize("decided", [pause("1", until=at(600)), pause(tenant="acme", until=at(600))])
def test_a_pause_with_an_end_ends_by_itself_within_a_second(decided: OperatorControl) -> None:
    """A number that is paused for the night would be silent in the morning."""

    async def scene(world: World) -> None:
        world.decide(decided)
        world.feed("1", 50)
        await asyncio.sleep(599)
        assert world.api.calls == []
        await asyncio.sleep(1 + PROMPT)
        assert len(world.api.of("1")) == 50

    play(scene)


@pytest.mark.parametrize("kind", [CommandKind.READ, CommandKind.TYPING, CommandKind.TEXT])
def test_nothing_of_any_kind_is_sent_for_a_paused_account(kind: CommandKind) -> None:
    """A number that must be silent would show that it is typing."""

    async def scene(world: World) -> None:
        world.decide(pause("1"))
        (name,) = world.feed("1", 1, kind=kind)
        await asyncio.sleep(30)
        assert world.api.calls == []
        world.decide(pause("1", active=False))
        await world.until(lambda: world.api.of("1") == [name], "its call")

    play(scene)


@pytest.mark.parametrize("kind", [CommandKind.TYPING, CommandKind.TEXT])
def test_a_call_that_waits_for_its_connection_is_not_made(kind: CommandKind) -> None:
    """A host that takes long to connect would get messages long after their number was paused."""

    async def scene(world: World) -> None:
        world.api.connecting = 10
        (name,) = world.feed("1", 1, kind=kind)
        await asyncio.sleep(5)
        world.decide(pause("1"))
        await asyncio.sleep(20)
        assert world.api.calls == []
        state = decode_state(world.app.stores[SENT].partition(0).get(name.encode()))
        assert state is not None
        assert (state.phase, state.failed_attempts, state.resends) == (CommandPhase.RETRY, 0, 0)
        world.decide(pause("1", active=False))
        await world.until(lambda: name in world.outcomes(), "its outcome")
        assert world.outcomes()[name].retried == 0

    play(scene)


def test_a_call_whose_first_request_was_written_is_completed() -> None:
    """An uploaded picture would be in doubt for a minute, and be sent twice or not at all."""

    async def scene(world: World) -> None:
        world.api.uploads = 1
        (name,) = world.feed("1", 1)
        await asyncio.sleep(1)
        world.decide(pause("1"))
        await world.until(lambda: world.api.of("1") == [name], "the rest of its call")

    play(scene)


def test_a_command_whose_lifetime_ends_during_a_pause_is_not_sent_and_says_so() -> None:
    """A person would get last week's answer when a number is resumed; or a system would wait for an outcome."""

    async def scene(world: World) -> None:
        world.decide(pause("1"))
        old = world.feed("1", 20)
        await asyncio.sleep(DAY / 2)
        young = world.feed("1", 20)
        await asyncio.sleep(DAY / 2 + 2 * REVIEW_INTERVAL)
        assert {name: each.status for name, each in world.outcomes().items()} == dict.fromkeys(
            old, OutcomeStatus.EXPIRED
        )
        world.decide(pause("1", active=False))
        await world.until(lambda: len(world.outcomes()) == 40, "all outcomes")
        assert sorted(world.api.of("1")) == young

    play(scene)


def test_the_pause_of_a_tenant_stops_all_of_its_numbers_and_nobody_else() -> None:
    """A tenant that has not paid would be stopped number by number; or others would be silent with it."""

    async def scene(world: World) -> None:
        world.decide(pause(tenant="acme"))
        for account in ("1", "2", "3"):
            world.feed(account, 30)
        await world.until(lambda: len(world.api.of("3")) == 30, "the other tenant")
        await asyncio.sleep(300)
        assert len(world.api.calls) == 30
        world.decide(pause("2"), pause(tenant="acme", active=False))
        resumed_at = world.time
        await world.until(lambda: len(world.api.of("1")) == 30, "the number that is not paused itself")
        assert world.time < resumed_at + PROMPT
        await asyncio.sleep(300)
        assert world.api.of("2") == []

    play(scene)


def test_a_limit_that_is_raised_lets_what_waits_for_it_go_on_at_once() -> None:
    """Whoever raises a limit would wait for the end of a hold that the old one made."""

    async def scene(world: World) -> None:
        world.decide(limit("1", 0.001))
        world.feed("1", 50)
        await asyncio.sleep(10)
        assert world.api.calls == []
        world.decide(limit("1", None))
        raised_at = world.time
        await world.until(lambda: len(world.api.of("1")) == 50, "all of them")
        assert world.time < raised_at + PROMPT
        world.decide(limit("1", 0.001, until=at(world.time + 100)))
        world.feed("1", 50)
        await asyncio.sleep(90)
        assert len(world.api.of("1")) <= 51, "more than the one that the limit allows at once"
        await asyncio.sleep(10 + PROMPT)
        assert len(world.api.of("1")) == 100

    play(scene)


def test_a_clock_that_is_set_forward_ends_a_pause() -> None:
    """A machine that slept would keep a number silent for as long as it slept."""

    async def scene(world: World) -> None:
        world.decide(pause("1", until=at(3_600)))
        world.feed("1", 5)
        await asyncio.sleep(10)
        assert world.api.calls == []
        world.ahead = 3_600
        await asyncio.sleep(PROMPT)
        assert len(world.api.of("1")) == 5

    play(scene)


def test_what_holds_the_commands_of_each_account_is_known() -> None:
    """An operator could not tell a number that a colleague has paused from one that is at its limit."""

    async def scene(world: World) -> None:
        world.decide(limit("1", 2), pause("2", until=at(500)), pause(tenant="globex"))
        for account, number in (("1", 300), ("2", 50), ("3", 5)):
            world.feed(account, number)
        await world.until(lambda: len(world.api.of("1")) > 5, "some are sent")
        waits = by_account(world.loop.waits())
        (rate,) = waits["acme", "cloud:1"].keys() - {"nothing", "in_work", "turn"}
        assert rate == "messages_per_second"
        assert sum(wait.records for wait in waits["acme", "cloud:1"].values()) > 250
        (paused,) = waits["acme", "cloud:2"].values()
        assert paused.records == 50
        assert paused.ends_at == pytest.approx(500, abs=1)
        assert {*waits["acme", "cloud:2"], *waits["globex", "cloud:3"]} == {"operator"}
        assert waits["globex", "cloud:3"]["operator"].ends_at == float("inf")

    play(scene)
