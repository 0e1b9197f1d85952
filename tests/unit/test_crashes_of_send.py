"""The messenger dies or freezes between any two of its steps, and every command still has one effect."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st

from agents.receive import receive
from agents.send import send
from pipeline.delivery.standing import Standing, State
from pipeline.providers import courier
from pipeline.providers.base import Delivery, DeliveryStatus, Slice, WebhookRequest
from pipeline.providers.courier import Courier, Hand, Rows
from pipeline.providers.dispatch import Dispatcher, Wait
from pipeline.runtime import PipelineApp, concurrent_loop
from pipeline.runtime.chain import Output
from pipeline.runtime.commit import Marks, commit
from pipeline.runtime.draft import Draft
from pipeline.runtime.sole_writer import SoleWriter
from pipeline.tenants import Account, Tenants, TenantsFile
from tests.stage.pieces import NUMBER
from tests.unit.crash_points import Flows, Process, World, lives, two_owners
from topics.catalogue import COMMANDS_INTERACTIVE, OUTCOMES, RECEIPTS, SENT
from topics.codec import decode_outcome, encode_command, encode_receipt
from topics.commands import Command, CommandKind, command_id
from topics.events.wire import WireEvent
from topics.outcomes import OutcomeStatus
from topics.receipts import Receipt
from topics.records import Incoming

InDoubt = Literal["resend", "give_up"]
NEVER, LONG_AGO = math.inf, 0.0
MANY = 99
"""Calls that may be made again: more than any of these tests has deaths."""
COMMANDS = 2
"""Both to one person: the second must not overtake the first."""


class Answer(NamedTuple):
    """What the provider does with a call, and what it says."""

    says: Delivery
    does: bool


ACCEPTED = Answer(Delivery(DeliveryStatus.ACCEPTED, "wamid"), does=True)
THROTTLED = Answer(Delivery(DeliveryStatus.RETRYABLE, error_code=130429), does=False)
LOST_ANSWER = Answer(Delivery(DeliveryStatus.UNKNOWN), does=True)
LOST_CALL = Answer(Delivery(DeliveryStatus.UNKNOWN), does=False)
ANSWERS = (ACCEPTED, THROTTLED, LOST_ANSWER, LOST_CALL)


@dataclass
class Outside:
    """The provider: what it did, and the status webhooks that say so.

    Attributes:
        answers: to the first calls; what comes after them is accepted.
        prompt: statuses come before the answer; otherwise when somebody waits for them.
        mute: no status says which command it is about.
        effects: the ids of the commands that became messages.
    """

    answers: list[Answer] = field(default_factory=list)
    prompt: bool = False
    mute: bool = False
    in_doubt: InDoubt = "resend"
    world: World = field(default_factory=World)
    effects: list[str] = field(default_factory=list)
    unposted: list[str] = field(default_factory=list)
    living: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number in range(COMMANDS):
            self.world.append(encode_command(_command(number)))

    def start(self, process: Process) -> Flows:
        """The messenger's flows, of a new process."""
        self.living = [each for each in self.living if each.frozen.is_set()] + [process]
        dispatcher = _Dispatcher(self, process)
        return {
            COMMANDS_INTERACTIVE.name: send(Courier(dispatcher, 60, lambda: self.heard(process), resends=MANY)),
            RECEIPTS.name: receive(),
        }

    def call(self, command: Command) -> Delivery:
        answer = self.answers.pop(0) if self.answers else ACCEPTED
        if answer.does:
            self.effects.append(command.command_id)
            if not self.mute:
                self.unposted.append(command.command_id)
        if self.prompt:
            self.post()
        return answer.says

    def post(self) -> None:
        """The status webhooks, which intake makes receipts of."""
        posted, self.unposted = self.unposted, []
        for name in posted:
            self.world.append(
                encode_receipt(Receipt(command_id=name, message_id="wamid", status="sent"), "cloud", NUMBER)
            )

    def heard(self, process: Process) -> float:
        """The window is over when nothing that could tell is on its way, and nobody who was frozen may still call."""
        told = not self.unposted and self.world.finished(RECEIPTS.name)
        process.stale = self.world.owner is not process or any(_may_call(each) for each in self.living)
        if not process.stale:
            self.post()
        return NEVER if told and not process.stale else LONG_AGO

    @property
    def outcomes(self) -> dict[str, set[OutcomeStatus]]:
        found: dict[str, set[OutcomeStatus]] = defaultdict(set)
        for record in self.world.log(OUTCOMES.name):
            outcome = decode_outcome(record)
            found[outcome.command_id].add(outcome.status)
        return found


def _may_call(process: Process) -> bool:
    """Whether it froze, and may be about to call."""
    return process.frozen.is_set() and not process.over


class _Dispatcher(Dispatcher):
    """Calls the provider of a test, its limits and pauses left out. Each process has its own."""

    def __init__(self, outside: Outside, process: Process) -> None:
        account = {"provider": "cloud", "id": NUMBER, "token": "t"}
        tenant = {"id": "acme", "in_doubt": outside.in_doubt, "accounts": [account]}
        tenants = Tenants(TenantsFile.model_validate({"tenants": [tenant]}))
        super().__init__({"cloud": _Provider(outside, process)}, tenants, 1)
        process.on_end(self.close)

    async def turn(self, command: Command, wait: Wait) -> None:
        """At once."""

    def next_try(self, command: Command, delivery: Delivery, tries: int) -> float | None:
        return None if super().next_try(command, delivery, tries) is None else 0.0


class _Provider:
    name = "cloud"
    kinds = frozenset(CommandKind)

    def __init__(self, outside: Outside, process: Process) -> None:
        self._outside = outside
        self._process = process

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> Delivery:
        await self._process.step()
        says = self._outside.call(command)
        await self._process.step()
        return says

    def contact(self, recipient: str) -> str:
        return recipient

    def authenticate(self, request: WebhookRequest, tenants: Tenants) -> bool:
        raise NotImplementedError

    def split(self, request: WebhookRequest, tenants: Tenants) -> Sequence[Slice]:
        raise NotImplementedError

    def parse(self, record: Incoming) -> Sequence[WireEvent]:
        raise NotImplementedError


def _command(number: int) -> Command:
    return Command(
        command_id=command_id("e", number),
        event_id="e",
        tenant_id="acme",
        provider="cloud",
        account=NUMBER,
        recipient="15550001111",
        kind=CommandKind.TEXT,
        body={"text": "hello"},
        created_at=datetime.now(UTC),
    )


EACH = [command_id("e", number) for number in range(COMMANDS)]


@pytest.fixture(autouse=True, scope="module")
def _impatient() -> Iterator[None]:
    """Who waits for a status asks again at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(courier, "ASK_AGAIN", 0.0)
        yield


def _die(outside: Outside, *deaths: int) -> list[Process]:
    return asyncio.run(lives(outside.world, outside.start, SENT, deaths))


def _freeze(outside: Outside, freezes_at: int, after: int) -> bool:
    return asyncio.run(two_owners(outside.world, outside.start, SENT, freezes_at, after))


def _require_one_effect(outside: Outside) -> None:
    assert outside.effects == EACH
    assert outside.outcomes == {name: {OutcomeStatus.ACCEPTED} for name in EACH}
    assert set(outside.world.logs) <= {COMMANDS_INTERACTIVE.name, RECEIPTS.name, OUTCOMES.name}, "no dead letter"


def _steps(answers: Sequence[Answer], *, prompt: bool) -> int:
    """How many a life has in which nobody dies."""
    (undisturbed,) = _die(Outside(list(answers), prompt))
    return undisturbed.steps


@pytest.mark.parametrize("prompt", [False, True], ids=["late", "prompt"])
@pytest.mark.parametrize("answer", ANSWERS, ids=["accepted", "throttled", "lost answer", "lost call"])
def test_one_effect_wherever_it_dies(answer: Answer, prompt: bool) -> None:
    """A messenger that is killed at the wrong moment would send twice, never, or in the wrong order."""
    steps = _steps([answer], prompt=prompt)
    assert steps > 20, "every durable write and every call is a step"
    for dies_at in range(1, steps + 1):
        outside = Outside([answer], prompt)
        assert _die(outside, dies_at)[0].dead
        _require_one_effect(outside)


@given(st.lists(st.integers(1, 45), max_size=5), st.lists(st.sampled_from(ANSWERS), max_size=4), st.booleans())
def test_one_effect_however_often_it_dies(deaths: list[int], answers: list[Answer], prompt: bool) -> None:
    """A messenger that dies again while it recovers would send twice or never."""
    outside = Outside(answers, prompt)
    _die(outside, *deaths)
    _require_one_effect(outside)


@pytest.mark.parametrize("answer", ANSWERS, ids=["accepted", "throttled", "lost answer", "lost call"])
def test_one_effect_wherever_it_freezes_while_another_takes_its_place(answer: Answer) -> None:
    """A machine that is paused for longer than its session would send what another has sent meanwhile."""
    froze = set()
    for freezes_at in range(1, _steps([answer], prompt=False) + 1):
        for after in (0, 1, 2, 4, 8, 99):
            outside = Outside([answer])
            froze |= {freezes_at} if _freeze(outside, freezes_at, after) else set()
            _require_one_effect(outside)
    assert len(froze) > 10, "every step that awaits something is one to freeze at"


@pytest.mark.parametrize("in_doubt", ["resend", "give_up"])
@given(deaths=st.lists(st.integers(1, 40), max_size=3))
def test_where_no_status_tells_the_policy_decides(in_doubt: InDoubt, deaths: list[int]) -> None:
    """Without callback data, a tenant that must never write twice would, or one that must write would stay silent."""
    outside = Outside(mute=True, in_doubt=in_doubt)
    died = sum(process.dead for process in _die(outside, *deaths))
    times = [outside.effects.count(name) for name in EACH]
    if in_doubt == "resend":
        assert min(times) >= 1
        assert sum(times) <= COMMANDS + died
        assert all(found == {OutcomeStatus.ACCEPTED} for found in outside.outcomes.values())
    else:
        assert max(times) <= 1
        assert all(outside.effects.count(name) or OutcomeStatus.UNKNOWN in outside.outcomes[name] for name in EACH)
    assert set(outside.outcomes) == set(EACH)


def _finds(answer: Answer = ACCEPTED) -> bool:
    """Whether some death shows that it is wrong."""
    for dies_at in range(1, 45):
        outside = Outside([answer])
        _die(outside, dies_at)
        try:
            _require_one_effect(outside)
        except AssertionError:
            return True
    return False


def test_the_search_finds_an_intent_that_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds nothing would be no proof."""
    noted = Courier._note

    async def only_retries(self: Courier, command: Command, step: Standing, rows: Rows, hand: Hand) -> None:
        if step.state is not State.INTENT:
            await noted(self, command, step, rows, hand)

    assert not _finds()
    monkeypatch.setattr(Courier, "_note", only_retries)
    assert _finds()


def test_the_search_finds_a_mark_that_goes_before_its_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds nothing would be no proof."""

    async def mark_first(app: PipelineApp, draft: Draft, marks: Marks) -> list[Output]:
        await commit(app, app.publisher.draft(), marks)
        return await commit(app, draft, lambda _: ())

    monkeypatch.setattr(concurrent_loop, "commit", mark_first)
    assert _finds()


def test_the_search_finds_a_writer_that_asks_for_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds nothing would be no proof."""
    monkeypatch.setattr(SoleWriter, "wrote", lambda *_: True)
    wrong = 0
    for freezes_at in range(1, 25):
        outside = Outside([LOST_ANSWER])
        _freeze(outside, freezes_at, 4)
        wrong += outside.effects != EACH
    assert wrong
