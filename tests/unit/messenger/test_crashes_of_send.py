"""The messenger dies or freezes between any two of its steps, and every command still has one effect."""

from __future__ import annotations

import asyncio
import math
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st

from pipeline.agents import receive as receive_stage
from pipeline.agents.receive import receive
from pipeline.agents.send import send
from pipeline.messenger import executor as executor_module
from pipeline.messenger.command_state import CommandPhase, CommandState
from pipeline.messenger.connections import WriteGuard, require_write_guard
from pipeline.messenger.dispatch import Dispatcher
from pipeline.messenger.executor import CommandExecutor, CommandTable, ExecutionContext
from pipeline.messenger.fates import Fates
from pipeline.messenger.limits.rows import ReadRow
from pipeline.messenger.slots import SlotBounds
from pipeline.messenger.waking import Sleep
from pipeline.providers.base import AttemptStatus, SendAttempt, Slice, WebhookRequest
from pipeline.providers.cloud import error_codes
from pipeline.runtime.flows.commit_queue import CommitQueue, CommitRequest
from pipeline.runtime.tables.fencing import WriterFence
from pipeline.tenants import Account, Tenants, TenantsFile
from pipeline.topics.catalogue import COMMANDS_INTERACTIVE, OUTCOMES, RECEIPTS, SENT
from pipeline.topics.codec import decode_outcome, encode_command, encode_receipt
from pipeline.topics.commands import Command, CommandKind, command_id
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.outcomes import Outcome, OutcomeStatus
from pipeline.topics.receipts import Receipt, receipt_of
from pipeline.topics.receipts import receipt_of as receipt_of_any
from pipeline.topics.records import ConsumedRecord
from tests.stage.pieces import NUMBER
from tests.support.crash_points import Flows, Process, World, lives, two_owners

InDoubt = Literal["resend", "give_up"]
NEVER, LONG_AGO = math.inf, 0.0
MANY = 99
"""Calls that may be made again: more than any of these tests has deaths."""
COMMANDS = 2
"""Both to one person: the second must not overtake the first."""


class Answer(NamedTuple):
    """What the provider does with a call, and what it says."""

    says: SendAttempt
    does: bool


ACCEPTED = Answer(SendAttempt(AttemptStatus.ACCEPTED, "wamid"), does=True)
THROTTLED = Answer(SendAttempt(AttemptStatus.RETRYABLE, error_code=130429), does=False)
LOST_ANSWER = Answer(SendAttempt(AttemptStatus.UNKNOWN), does=True)
LOST_CALL = Answer(SendAttempt(AttemptStatus.UNKNOWN), does=False)
DENIED = Answer(SendAttempt(AttemptStatus.RETRYABLE, error_code=131000), does=True)
ANSWERS = (ACCEPTED, THROTTLED, LOST_ANSWER, LOST_CALL, DENIED)
NAMES = ("accepted", "throttled", "lost answer", "lost call", "done though denied")
FATES: dict[str, list[OutcomeStatus]] = {
    "delivered": [OutcomeStatus.DELIVERED],
    "read": [OutcomeStatus.READ],
    "sent": [],
    "failed": [OutcomeStatus.FAILED],
    "odd": [],
}
"""What follows `accepted`, by the status."""
STATUSES = tuple(FATES)
"""The one status of each message that comes: any of them will do. The odd one is of no form that the parser knows."""


@dataclass
class Outside:
    """The provider: what it did, and the status webhooks that say so.

    Attributes:
        answers: to the first calls; what comes after them is accepted.
        prompt: statuses come before the answer; otherwise when somebody waits for them.
        mute: no status says which command it is about.
        named: the first command is to somebody else and names the second, which has not begun.
        effects: the ids of the commands that became messages.
        turn: which of `STATUSES` comes of the first message.
    """

    answers: list[Answer] = field(default_factory=list)
    prompt: bool = False
    mute: bool = False
    named: bool = False
    in_doubt: InDoubt = "resend"
    world: World = field(default_factory=World)
    effects: list[str] = field(default_factory=list)
    unposted: list[str] = field(default_factory=list)
    turn: int = 0
    denied: bool = False

    def __post_init__(self) -> None:
        first, second = (_command(number) for number in range(COMMANDS))
        about = {"recipient": "15550002222", "reply_to": first.command_id}
        for command in (second.model_copy(update=about), first) if self.named else (first, second):
            self.world.append(encode_command(command))

    def start(self, process: Process) -> Flows:
        """The messenger's flows, of a new process."""
        dispatcher, fates = _Dispatcher(self, process), Fates()
        return {
            COMMANDS_INTERACTIVE.name: send(
                CommandExecutor(dispatcher, 60, lambda _: self.heard(process), max_resends=MANY), fates=fates
            ),
            RECEIPTS.name: receive(fates),
        }

    def call(self, command: Command) -> SendAttempt:
        answer = self.answers.pop(0) if self.answers else ACCEPTED
        self.denied = self.denied or answer is DENIED
        if answer.does:
            self.effects.append(command.command_id)
            if not self.mute:
                self.unposted.append(command.command_id)
        if self.prompt:
            self.post()
        return answer.says

    def post(self) -> None:
        """The status webhooks, which intake makes receipts of: each of them twice, as after a crash of intake."""
        posted, self.unposted = self.unposted, []
        for name in posted:
            if receipt := receipt_of(_status(name, self.status(name))):
                self.world.append(encode_receipt(receipt, "cloud", NUMBER))
                self.world.append(encode_receipt(receipt, "cloud", NUMBER))

    def status(self, name: str) -> str:
        """The one status of the message of a command."""
        return STATUSES[(self.effects.index(name) + self.turn) % len(STATUSES)]

    def settle(self) -> None:
        """Every status comes, and a last process reads them all."""
        self.post()
        asyncio.run(lives(self.world, self._start_receipts_first, SENT, ()))

    def _start_receipts_first(self, process: Process) -> Flows:
        """The process ends when the first of its flows has read everything."""
        return dict(reversed(list(self.start(process).items())))

    def heard(self, process: Process) -> float:
        """The window is over when nothing that could tell is on its way, though a frozen one may be about to call."""
        process.stale = self.world.owner is not process
        if process.stale:
            return LONG_AGO
        told = self.told
        self.post()
        return NEVER if told else LONG_AGO

    @property
    def told(self) -> bool:
        """Whether every status that there is has come."""
        return not self.unposted and self.world.finished(RECEIPTS.name)

    @property
    def published(self) -> list[Outcome]:
        return [decode_outcome(record) for record in self.world.log(OUTCOMES.name)]

    @property
    def outcomes(self) -> dict[str, set[OutcomeStatus]]:
        found: dict[str, set[OutcomeStatus]] = defaultdict(set)
        for outcome in self.published:
            found[outcome.command_id].add(outcome.status)
        return found


def _status(command_id: str, name: str) -> ParsedEvent:
    kind = "unknown" if name == "odd" else "status"
    told = {"message_id": "wamid", "status": name, "business_opaque_data": command_id}
    return ParsedEvent("e", kind, "c", "cloud", NUMBER, told)


class _Dispatcher(Dispatcher):
    """Calls the provider of a test, its limits and pauses left out. Each process has its own."""

    def __init__(self, outside: Outside, process: Process) -> None:
        account = {"provider": "cloud", "id": NUMBER, "token": "t"}
        tenant = {"id": "acme", "in_doubt": outside.in_doubt, "accounts": [account]}
        tenants = Tenants(TenantsFile.model_validate({"tenants": [tenant]}))
        self._outside = outside
        super().__init__({"cloud": _Provider(outside, process)}, tenants, SlotBounds(1, 1, 1))
        process.on_end(self.close)

    async def wait_for_permit(self, command: Command, wait: Sleep, read: ReadRow, within: float = math.inf) -> bool:
        """At once; but what was denied is tried again after the statuses have come, as a provider's pause is longer."""
        while self._outside.denied and not self._outside.told:
            self._outside.post()
            await wait(0)
        return True

    def retry_delay(self, command: Command, attempt: SendAttempt, failed_attempts: int) -> float | None:
        return None if super().retry_delay(command, attempt, failed_attempts) is None else 0.0

    def pause(self, command: Command, attempt: SendAttempt, failed_attempts: int) -> tuple[float, dict[str, bytes]]:
        return 0.0, super().pause(command, attempt, failed_attempts)[1]


class _Provider:
    name = "cloud"
    kinds = frozenset(CommandKind)
    codes = error_codes.TABLE

    def __init__(self, outside: Outside, process: Process) -> None:
        self._outside = outside
        self._process = process

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> SendAttempt:
        await self._process.step()
        require_write_guard()
        says = self._outside.call(command)
        await self._process.step()
        return says

    def contact(self, recipient: str) -> str:
        return recipient

    def authenticate(self, request: WebhookRequest, tenants: Tenants) -> bool:
        raise NotImplementedError

    def split(self, request: WebhookRequest, tenants: Tenants) -> Sequence[Slice]:
        raise NotImplementedError

    def parse(self, record: ConsumedRecord) -> Sequence[ParsedEvent]:
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
        patch.setattr(executor_module, "POLL_INTERVAL", 0.0)
        yield


def _die(outside: Outside, *deaths: int) -> list[Process]:
    return asyncio.run(lives(outside.world, outside.start, SENT, deaths))


def _freeze(outside: Outside, freezes_at: int, after: int) -> bool:
    return asyncio.run(two_owners(outside.world, outside.start, SENT, freezes_at, after))


def _require_one_effect(outside: Outside) -> None:
    assert outside.effects == EACH
    outside.settle()
    assert outside.effects == EACH
    assert outside.outcomes == {name: {OutcomeStatus.ACCEPTED, *FATES[outside.status(name)]} for name in EACH}
    for name in EACH:
        latest, *others = [outcome for outcome in outside.published if outcome.command_id == name]
        for outcome in others:
            latest = outcome if outcome.supersedes(latest) else latest
        assert latest.status is [OutcomeStatus.ACCEPTED, *FATES[outside.status(name)]][-1]
    assert set(outside.world.logs) <= {COMMANDS_INTERACTIVE.name, RECEIPTS.name, OUTCOMES.name}, "no dead letter"


def _steps(answers: Sequence[Answer], *, prompt: bool = False, named: bool = False, turn: int = 0) -> int:
    """How many a life has in which nobody dies."""
    (undisturbed,) = _die(Outside(list(answers), prompt, named=named, turn=turn))
    return undisturbed.steps


@pytest.mark.parametrize("named", [False, True], ids=["", "named"])
@pytest.mark.parametrize("prompt", [False, True], ids=["late", "prompt"])
@pytest.mark.parametrize("answer", ANSWERS, ids=NAMES)
def test_one_effect_wherever_it_dies(answer: Answer, prompt: bool, named: bool) -> None:
    """A messenger that is killed at the wrong moment would send twice, never, or in the wrong order."""
    steps = [_steps([answer], prompt=prompt, named=named, turn=turn) for turn in range(len(STATUSES))]
    assert min(steps) > 20, "every durable write and every call is a step"
    for dies_at in range(1, max(steps) + 1):
        turn = next(each for each in range(dies_at, dies_at + len(steps)) if steps[each % len(steps)] >= dies_at)
        outside = Outside([answer], prompt, named=named, turn=turn)
        assert _die(outside, dies_at)[0].dead
        _require_one_effect(outside)


@pytest.mark.parametrize("prompt", [False, True], ids=["late", "prompt"])
@pytest.mark.parametrize("turn", range(len(STATUSES)), ids=STATUSES)
def test_who_does_not_die_tells_each_fate_once_and_last(turn: int, prompt: bool) -> None:
    """A consumer that keeps the last record of a command would take a message that was read for one that was sent."""
    outside = Outside(prompt=prompt, turn=turn)
    _die(outside)
    outside.settle()
    for name in EACH:
        told = [outcome.status for outcome in outside.published if outcome.command_id == name]
        assert told == [OutcomeStatus.ACCEPTED, *FATES[outside.status(name)]]


@given(
    st.lists(st.integers(1, 45), max_size=5),
    st.lists(st.sampled_from(ANSWERS), max_size=4),
    st.booleans(),
    st.booleans(),
    st.integers(0, len(STATUSES) - 1),
)
def test_one_effect_however_often_it_dies(
    deaths: list[int], answers: list[Answer], prompt: bool, named: bool, turn: int
) -> None:
    """A messenger that dies again while it recovers would send twice or never."""
    outside = Outside(answers, prompt, named=named, turn=turn)
    _die(outside, *deaths)
    _require_one_effect(outside)


@pytest.mark.parametrize("answer", ANSWERS, ids=NAMES)
def test_one_effect_wherever_it_freezes_while_another_takes_its_place(answer: Answer) -> None:
    """A machine that is paused for longer than its session and window would send what another has sent meanwhile."""
    froze = set()
    for freezes_at in range(1, _steps([answer]) + 1):
        for after in (0, 1, 2, 4, 8, 16, 99):
            outside = Outside([answer], turn=freezes_at)
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


def _finds(answer: Answer = ACCEPTED, *, named: bool = False) -> bool:
    """Whether some death shows that it is wrong."""
    for dies_at in range(1, 45):
        outside = Outside([answer], prompt=answer is DENIED, named=named, turn=dies_at)
        _die(outside, dies_at)
        try:
            _require_one_effect(outside)
        except AssertionError:
            return True
    return False


def test_the_search_finds_an_intent_that_is_not_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds nothing would be no proof."""
    noted = CommandExecutor._persist_step

    async def only_retries(
        self: CommandExecutor, command: Command, step: CommandState, table: CommandTable, context: ExecutionContext
    ) -> None:
        if step.phase is CommandPhase.INTENT:
            table.put(command.command_id, step.encode())
        else:
            await noted(self, command, step, table, context)

    assert not _finds()
    monkeypatch.setattr(CommandExecutor, "_persist_step", only_retries)
    assert _finds()


def test_the_search_finds_a_mark_that_goes_before_its_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds nothing would be no proof."""

    async def write_first(queue: CommitQueue, requests: list[CommitRequest]) -> None:
        context = queue._context
        await context.tables.commit(context.publisher, [write for request in requests for write in request.writes])
        await context.publisher.publish(output for request in requests for output in request.outputs)
        for request in requests:
            request.on_committed()

    monkeypatch.setattr(CommitQueue, "_commit", write_first)
    assert _finds()


def test_the_search_finds_a_call_that_is_made_when_a_process_thaws(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds nothing would be no proof."""
    assert not _finds_frozen(ACCEPTED)
    monkeypatch.setattr(WriteGuard, "require", lambda _: None)
    assert _finds_frozen(ACCEPTED)


def test_the_search_finds_a_writer_that_asks_for_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds nothing would be no proof."""
    monkeypatch.setattr(WriterFence, "accepts", lambda *_: True)
    monkeypatch.setattr(executor_module, "_await_ownership", _no_matter)
    monkeypatch.setattr(WriteGuard, "require", lambda _: None)
    assert _finds_frozen(LOST_ANSWER)


async def _no_matter(_: ExecutionContext) -> None:
    """Whoever owns it."""


def _finds_frozen(answer: Answer) -> bool:
    wrong = 0
    for freezes_at in range(1, 25):
        for after in (4, 16, 99):
            outside = Outside([answer])
            _freeze(outside, freezes_at, after)
            wrong += outside.effects != EACH
    return bool(wrong)


def test_the_search_finds_statuses_that_settle_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds nothing would be no proof: once only the status `sent` settled a send in doubt."""
    monkeypatch.setattr(sys.modules[__name__], "receipt_of", _only_sent)
    assert _finds(LOST_ANSWER)


def _only_sent(event: ParsedEvent) -> Receipt | None:
    return receipt_of_any(event) if event.get("status") == "sent" else None


def test_the_search_finds_a_retry_that_no_status_settles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds nothing would be no proof: once a status changed nothing about what was to be tried again."""
    assert not _finds(DENIED)
    monkeypatch.setattr(receive_stage, "UNRESOLVED", {CommandPhase.INTENT})
    assert _finds(DENIED)


def test_the_search_finds_a_named_command_that_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds nothing would be no proof: once an answer to what had not begun failed for good."""
    assert not _finds(named=True)
    monkeypatch.setattr(executor_module, "_provider_message_id", lambda *_: "")
    assert _finds(named=True)
