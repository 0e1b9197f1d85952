"""The outcome of a command for each state and answer. `test_crashes_of_send` kills it everywhere."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession

from pipeline.backoff import RetryPolicy
from pipeline.clock import Moment
from pipeline.errors import KeyUnavailable, NewerRecord, RetryAfter, UnsupportedCommand
from pipeline.messenger import executor as executor_module
from pipeline.messenger.command_state import CommandPhase, CommandState, decode_state, due_key, encode_due
from pipeline.messenger.connections import require_write_guard
from pipeline.messenger.dispatch import Dispatcher
from pipeline.messenger.executor import (
    MAX_RESENDS,
    POLL_INTERVAL,
    REFERENCE_TIMEOUT,
    CommandExecutor,
)
from pipeline.messenger.limits.account import AccountLimiter, Limits
from pipeline.messenger.permits import REVIEW_INTERVAL
from pipeline.messenger.slots import SlotBounds
from pipeline.providers.base import AttemptStatus, SendAttempt, Slice, WebhookRequest
from pipeline.providers.cloud import error_codes
from pipeline.runtime.flows.stage import PartitionsRevoked
from pipeline.tenants import Account, Tenants, load_tenants
from pipeline.testing import TestRecord
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.outcomes import Outcome, OutcomeStatus
from pipeline.topics.records import ConsumedRecord
from tests.support.stacks import ROOT

ACCEPTED = SendAttempt(AttemptStatus.ACCEPTED, "wamid.1")
THROTTLED = SendAttempt(AttemptStatus.RETRYABLE, error_code=130429, delay=0)
REFUSED = SendAttempt(AttemptStatus.PERMANENT, error_code=131047, error_message="more than 24 hours")
UNKNOWN = SendAttempt(AttemptStatus.UNKNOWN)


class Outside:
    """A provider that counts its effects, and the disk that outlives the process.

    It fits both `CommandTable` and `ExecutionContext`.
    """

    name = "cloud"
    kinds = frozenset(CommandKind)
    codes = error_codes.TABLE

    def __init__(self, answers: Iterable[SendAttempt] = (ACCEPTED,)) -> None:
        self.answers = list(answers)
        self.effects: list[str] = []
        self.calls = 0
        self.durable: dict[str, bytes] = {}
        self.pending: dict[str, bytes] = {}
        self.now = time.time()
        self.lost = 0
        self.freezes = self.moves = False
        self.told: CommandState | None = None
        self.record: ConsumedRecord = TestRecord(None)

    def get(self, key: str) -> bytes | None:
        return self.pending.get(key) or self.durable.get(key)

    def put(self, key: str, value: bytes) -> None:
        self.pending[key] = value

    async def wait(self, seconds: float) -> None:
        """Time passes at once; who waits to be sure of its partition may hear that it has moved."""
        if self.moves and seconds == POLL_INTERVAL:
            raise PartitionsRevoked
        self.now += seconds

    async def persist(self) -> None:
        self.durable |= self.pending
        self.pending.clear()

    def owned(self) -> bool:
        """Whether it is sure of its partition, as often as it asks: `lost` times it is not."""
        self.lost -= 1
        return self.lost < 0

    def restart(self) -> None:
        self.pending.clear()

    def contact(self, recipient: str) -> str:
        return recipient

    def authenticate(self, request: WebhookRequest, tenants: Tenants) -> bool:
        return False

    def split(self, request: WebhookRequest, tenants: Tenants) -> list[Slice]:
        return []

    def parse(self, record: ConsumedRecord) -> list[ParsedEvent]:
        return []

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> SendAttempt:
        if self.freezes:
            self.freezes, self.lost = False, 3
        require_write_guard()
        self.calls += 1
        self.last = command
        if self.told is not None:
            self.put(command.command_id, self.told.encode())
        answer = self.answers.pop(0) if self.answers else ACCEPTED
        if answer.status is AttemptStatus.ACCEPTED:
            self.effects.append(command.command_id)
        return answer


def _tenants() -> Tenants:
    return load_tenants(Path(ROOT, "examples/tenants.yaml"), {"PIPELINE_SANDBOX_URL": "http://127.0.0.1:1"})


def _command(kind: CommandKind = CommandKind.TEXT, expires_at: datetime | None = None) -> Command:
    return Command(
        command_id="cmd-1",
        tenant_id="acme",
        provider="cloud",
        account="106540352242922",
        recipient="15550001111",
        kind=kind,
        body={"text": "hi"},
        created_at=datetime.now(UTC),
        expires_at=expires_at,
    )


async def _carry_out(outside: Outside, window: float, command: Command) -> Outcome | None:
    dispatcher = Dispatcher({"cloud": outside}, _tenants(), SlotBounds(1, 1, 1), now=lambda: outside.now)
    try:
        return await CommandExecutor(dispatcher, window, now=lambda: outside.now).execute(command, outside, outside)
    finally:
        await dispatcher.close()


def _live(outside: Outside, window: float = 60, command: Command | None = None) -> Outcome | None:
    """A process takes the command, tries again where it is told to, and commits at the end."""
    for _ in range(20):
        try:
            outcome = asyncio.run(_carry_out(outside, window, command or _command()))
        except RetryAfter as error:
            outside.now += error.delay
            outside.restart()  # what a failed attempt wrote and did not persist is undone
            _receipt_if_done(outside)
            continue
        asyncio.run(outside.persist())
        return outcome
    raise AssertionError("it never ended")


def _receipt_if_done(outside: Outside) -> None:
    """The status webhook of a message that was taken: `receive` puts it into the row."""
    if outside.effects:
        outside.durable["cmd-1"] = CommandState(CommandPhase.RECEIPT, time.time(), message_id="wamid.1").encode()


def test_an_accepted_command_is_not_sent_again() -> None:
    """Without it, a command that is delivered twice by Kafka would be sent twice to a person."""
    outside = Outside()
    assert _live(outside) is not None
    assert _live(outside) is None
    assert outside.calls == 1


def test_what_may_have_been_sent_waits_for_its_status_and_takes_its_id() -> None:
    """Without it, a call that timed out after it was taken would be made again."""
    outside = Outside([UNKNOWN])
    outside.effects.append("cmd-1")  # it was taken, the answer was lost
    outcome = _live(outside)
    assert outcome is not None
    assert (outcome.status, outcome.message_id) == (OutcomeStatus.ACCEPTED, "wamid.1")
    assert outside.calls == 1


def test_without_a_status_it_is_sent_again_after_the_window() -> None:
    """Without it, a call that never arrived would leave somebody without an answer."""
    outside = Outside([UNKNOWN, ACCEPTED])
    outcome = _live(outside, window=0)
    assert outcome is not None
    assert outcome.status is OutcomeStatus.ACCEPTED
    assert outside.calls == 2


def test_what_is_never_answered_is_given_up_in_the_end() -> None:
    """Without it, a person would get the same message again and again, and their conversation would never go on."""
    outside = Outside([UNKNOWN] * 20)
    outcome = _live(outside, window=0)
    assert outcome is not None
    assert (outcome.status, outside.calls) == (OutcomeStatus.UNKNOWN, 1 + MAX_RESENDS)


def test_a_read_mark_without_an_answer_is_repeated_ever_more_slowly() -> None:
    """Without it, a provider that does not answer read marks would be asked four times a second, for each of them."""
    outside = Outside([UNKNOWN, UNKNOWN, ACCEPTED])
    outcome = _live(outside, command=_command(CommandKind.READ))
    assert outcome is not None
    assert (outcome.status, outcome.retried, outside.calls) == (OutcomeStatus.ACCEPTED, 2, 3)


def test_a_refusal_between_two_doubts_does_not_begin_anew() -> None:
    """Without it, a provider that now throttles and now says nothing would be sent the same message for ever."""
    throttled = SendAttempt(AttemptStatus.RETRYABLE, error_code=130429, delay=0)
    outside = Outside([UNKNOWN, throttled] * 20)
    outcome = _live(outside, window=0)
    assert outcome is not None
    assert outcome.status is OutcomeStatus.UNKNOWN


def test_a_refusal_is_an_outcome_with_the_providers_code() -> None:
    """Without it, nobody would learn that a customer can't be written to."""
    outcome = _live(Outside([REFUSED]))
    assert outcome is not None
    assert (outcome.status, outcome.error_code) == (OutcomeStatus.FAILED, 131047)


def test_a_code_that_passes_is_tried_again_as_often_as_it_is_worth() -> None:
    """Without it, a passing error would fail a message, or a lasting one be tried for ever."""
    few = SendAttempt(AttemptStatus.RETRYABLE, error_code=131000, delay=0)
    outside = Outside([few] * 9)
    outcome = _live(outside)
    assert outcome is not None
    assert (outcome.status, outside.calls, outcome.retried) == (OutcomeStatus.FAILED, 5, 4)


def test_an_expired_command_is_not_sent_and_says_so() -> None:
    """Without it, yesterday's one-time code would be sent today."""
    outside = Outside()
    outcome = _live(outside, command=_command(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert outcome is not None
    assert (outcome.status, outside.calls) == (OutcomeStatus.EXPIRED, 0)


def test_a_kind_without_an_endpoint_fails_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, a command that no provider can do would be retried for ever."""

    async def refuse(*_: object) -> SendAttempt:
        raise UnsupportedCommand("the provider can't do text")

    outside = Outside()
    monkeypatch.setattr(outside, "deliver", refuse)
    outcome = _live(outside)
    assert outcome is not None
    assert (outcome.status, outcome.error_message) == (OutcomeStatus.FAILED, "the provider can't do text")


def _about(message_id: str) -> Command:
    about = {"command_id": "cmd-2", "reply_to": message_id, "body": {"text": "and", "message_id": message_id}}
    return _command().model_copy(update=about)


def test_an_earlier_send_is_meant_by_the_id_that_its_result_had() -> None:
    """A handler that answers, edits or deletes what it sent would name a message that the provider does not know."""
    outside = Outside()
    _live(outside)
    _live(outside, command=_about("cmd-1"))
    assert (outside.last.reply_to, outside.last.body["message_id"]) == (ACCEPTED.message_id, ACCEPTED.message_id)
    assert outside.last.command_id == "cmd-2"


def test_what_never_became_a_message_can_not_be_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command's id would go to the provider as a message's, or the command would wait for ever."""
    monkeypatch.setattr(executor_module, "REFERENCE_TIMEOUT", 2.0)
    outside = Outside()
    outcome = _live(outside, command=_about("cmd-9"))
    assert outcome and outcome.status is OutcomeStatus.FAILED
    assert outcome.error_message == "cmd-9 did not become a message, and it did not begin in time"
    assert outside.calls == 0


def test_an_answer_waits_for_what_it_answers() -> None:
    """An answer that overtook its message, on the other topic of commands, would be given up."""
    outside = Outside()
    outside.durable["cmd-1"] = CommandState(CommandPhase.RETRY, time.time(), 1).encode()
    with pytest.raises(RetryAfter):
        asyncio.run(_carry_out(outside, 60, _about("cmd-1")))
    assert outside.calls == 0


def test_a_named_command_that_has_not_begun_is_waited_for() -> None:
    """An answer that overtook its message, on the other topic of commands, would fail though the docs say it waits."""
    outside = Outside()
    with pytest.raises(RetryAfter):
        asyncio.run(_carry_out(outside, 60, _about("cmd-1")))
    outside.restart()
    outside.now += REFERENCE_TIMEOUT - 1
    _live(outside)
    outcome = _live(outside, command=_about("cmd-1"))
    assert outcome and outcome.status is OutcomeStatus.ACCEPTED
    assert outside.last.reply_to == ACCEPTED.message_id


def test_a_command_that_names_itself_does_not_wait_for_itself() -> None:
    """It would hold its conversation up for good."""
    outcome = _live(Outside(), command=_about("cmd-2"))
    assert outcome and outcome.error_message == "cmd-2 did not become a message"


def test_the_wait_for_a_named_command_ends_with_the_commands_own_time() -> None:
    """Its conversation would be held up by what nobody wants any more."""
    outside = Outside()
    soon = datetime.fromtimestamp(outside.now + 1, UTC)
    outcome = _live(outside, command=_about("cmd-9").model_copy(update={"expires_at": soon}))
    assert outcome and outcome.status is OutcomeStatus.EXPIRED


def _asked_to_wait(seconds: float = 3600) -> Outside:
    """A command was refused for so long, and its process has died since."""
    outside = Outside([SendAttempt(AttemptStatus.RETRYABLE, error_code=130429, delay=seconds)])
    with pytest.raises(RetryAfter):
        asyncio.run(_carry_out(outside, 60, _command()))
    outside.restart()
    return outside


def test_what_a_provider_asked_to_wait_for_is_waited_for_by_every_life() -> None:
    """A throttled number would be called again by each restart, and be throttled for longer."""
    outside = _asked_to_wait()
    for _ in range(4):
        with pytest.raises(RetryAfter):
            asyncio.run(_carry_out(outside, 60, _command()))
        outside.restart()
    assert outside.calls == 1
    outside.now += 3600 * 1.25  # jitter
    assert asyncio.run(_carry_out(outside, 60, _command())) is not None
    assert outside.calls == 2


def test_a_closed_account_is_closed_for_all_of_its_commands_after_a_restart() -> None:
    """The commands behind the throttled one would go out at once and make it worse."""
    outside = _asked_to_wait()
    other = _command().model_copy(update={"command_id": "cmd-2", "recipient": "15550009999"})
    with pytest.raises(RetryAfter):
        asyncio.run(_carry_out(outside, 60, other))
    read = other.model_copy(update={"kind": CommandKind.READ})
    assert asyncio.run(_carry_out(outside, 60, read)) is not None, "a read mark counts against no limit"
    assert outside.calls == 2


def test_a_person_at_the_pair_limit_is_sent_nothing_by_the_next_process() -> None:
    """Each life would try the person again at once, and the provider would count each refusal against the number."""
    outside = Outside([SendAttempt(AttemptStatus.RETRYABLE, error_code=131056, delay=60)])
    with pytest.raises(RetryAfter):
        asyncio.run(_carry_out(outside, 60, _command()))
    outside.restart()
    second, other = (_command().model_copy(update={"command_id": each}) for each in ("cmd-2", "cmd-3"))
    with pytest.raises(KeyUnavailable, match="pair limit") as held:
        asyncio.run(_carry_out(outside, 60, second))
    assert not held.value.whole_group
    elsewhere = other.model_copy(update={"recipient": "15550009999"})
    assert asyncio.run(_carry_out(outside, 60, elsewhere)) is not None
    assert outside.calls == 2


def test_a_lowered_rate_outlives_the_process_that_was_throttled_last() -> None:
    """A process that was throttled and killed before its next send would be throttled again at the full rate."""
    outside = Outside([THROTTLED])
    with pytest.raises(KeyUnavailable):
        asyncio.run(_carry_out(outside, 60, _command()))
    outside.restart()
    limiter = AccountLimiter("cloud:106540352242922", Limits(80, 20), outside.get, outside.now)
    assert limiter.learnt.rate(outside.now) == pytest.approx(40)


def test_what_a_paused_account_makes_wait_is_told_from_what_waits_for_itself() -> None:
    """The runtime would try all commands of a paused number one by one, or hold a number for one recipient's limit."""
    outside = Outside([THROTTLED])
    with pytest.raises(KeyUnavailable):
        asyncio.run(_carry_out(outside, 60, _command()))
    outside.restart()
    with pytest.raises(KeyUnavailable) as paused:
        asyncio.run(_carry_out(outside, 60, _command().model_copy(update={"command_id": "cmd-2"})))
    assert 0 < paused.value.delay <= REVIEW_INTERVAL
    assert paused.value.held_by == "provider", "metrics name it"
    outside = Outside([SendAttempt(AttemptStatus.RETRYABLE, error_code=131056, delay=3600)])
    for _ in range(2):  # after its call, and when it is looked at again
        with pytest.raises(RetryAfter) as own:
            asyncio.run(_carry_out(outside, 60, _command()))
        assert not isinstance(own.value, KeyUnavailable)
        outside.restart()


def test_a_send_that_hangs_is_in_doubt_and_one_without_a_connection_is_not_done() -> None:
    """A message that a hanging gateway has taken would be sent again at once, or one that never left be given up."""
    hangs = replace(UNKNOWN, answered=False)
    outside = Outside([hangs])
    with pytest.raises(RetryAfter) as in_doubt:
        asyncio.run(_carry_out(outside, 60, _command()))
    assert not isinstance(in_doubt.value, KeyUnavailable), "its status may end this wait at any time"
    assert _state(outside).phase is CommandPhase.INTENT
    outside = Outside([SendAttempt(AttemptStatus.RETRYABLE, answered=False)])
    with pytest.raises(RetryAfter):
        asyncio.run(_carry_out(outside, 60, _command()))
    assert _state(outside).phase is CommandPhase.RETRY


def test_of_two_calls_in_flight_the_longer_refusal_closes_the_account() -> None:
    """The one that is answered last would open a number again that is closed for an hour."""

    class Refused(Outside):
        async def deliver(self, command: Command, account: Account, session: ClientSession) -> SendAttempt:
            self.put(due_key(command.account_key), encode_due(self.now + 3600))
            return await super().deliver(command, account, session)

    outside = Refused([SendAttempt(AttemptStatus.RETRYABLE, error_code=130429, delay=1)])
    with pytest.raises(RetryAfter):
        asyncio.run(_carry_out(outside, 60, _command()))
    outside.restart()
    outside.now += 600
    with pytest.raises(RetryAfter):
        asyncio.run(_carry_out(outside, 60, _command().model_copy(update={"command_id": "cmd-2"})))
    assert outside.calls == 1


def _goes_out(outside: Outside, command: Command) -> bool:
    try:
        asyncio.run(_carry_out(outside, 60, command))
    except RetryAfter:
        outside.restart()
        return False
    return True


def test_the_last_try_closes_a_throttled_account_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands behind one that was given up would go out at once, though the provider said to slow down."""
    monkeypatch.setattr("pipeline.messenger.dispatch.retry_policy", lambda *_: RetryPolicy(max_attempts=1))
    outside = Outside([SendAttempt(AttemptStatus.RETRYABLE, error_code=130429, delay=3600)])
    outcome = _live(outside)
    assert outcome is not None
    assert outcome.status is OutcomeStatus.FAILED
    assert not _goes_out(outside, _command().model_copy(update={"command_id": "cmd-2"}))
    assert outside.calls == 1


def test_a_throttled_account_is_closed_though_a_status_settled_the_command() -> None:
    """A late status of an earlier call would hide from the next commands that the provider said to slow down."""
    outside = Outside([SendAttempt(AttemptStatus.RETRYABLE, error_code=130429, delay=3600)])
    outside.told = CommandState(CommandPhase.RECEIPT, outside.now, message_id="wamid.7")
    outcome = _live(outside)
    assert outcome is not None
    assert outcome.status is OutcomeStatus.ACCEPTED
    assert not _goes_out(outside, _command().model_copy(update={"command_id": "cmd-2"}))
    assert outside.calls == 1


def test_a_refusal_of_one_message_closes_no_account() -> None:
    """One recipient's limit would stop a whole number."""
    outside = Outside([SendAttempt(AttemptStatus.RETRYABLE, error_code=131056, delay=3600)])
    with pytest.raises(RetryAfter):
        asyncio.run(_carry_out(outside, 60, _command()))
    other = _command().model_copy(update={"command_id": "cmd-2", "recipient": "15550009999"})
    assert asyncio.run(_carry_out(outside, 60, other)) is not None


@pytest.mark.parametrize("answer", [UNKNOWN, THROTTLED, REFUSED])
def test_a_status_that_comes_before_the_answer_is_believed(answer: SendAttempt) -> None:
    """A message that was delivered would be sent again, or be told as failed, since its answer was lost or wrong."""
    outside = Outside([answer])
    outside.told = CommandState(CommandPhase.RECEIPT, outside.now, message_id="wamid.7")
    outcome = _live(outside)
    assert outcome is not None
    assert (outcome.status, outcome.message_id, outside.calls) == (OutcomeStatus.ACCEPTED, "wamid.7", 1)


def test_a_status_that_names_no_message_settles_all_the_same() -> None:
    """An outcome would name a message with an empty id."""
    outside = Outside()
    outside.durable["cmd-1"] = CommandState(CommandPhase.RECEIPT, outside.now).encode()
    outcome = _live(outside)
    assert outcome is not None
    assert (outcome.status, outcome.message_id, outside.calls) == (OutcomeStatus.ACCEPTED, None, 0)


def test_who_was_held_up_between_intent_and_call_makes_it_when_the_group_has_heard_of_it() -> None:
    """A pause of a few seconds would leave a person's answer in doubt for a minute."""
    outside = Outside()
    outside.freezes = True
    with pytest.raises(RetryAfter):
        asyncio.run(_carry_out(outside, 60, _command()))
    assert outside.calls == 0
    assert _state(outside).phase is CommandPhase.RETRY
    outside.restart()
    assert asyncio.run(_carry_out(outside, 60, _command())) is not None
    assert outside.calls == 1


def test_who_was_held_up_and_lost_its_partition_writes_nothing() -> None:
    """What it writes would hide what the partition's new owner has written: a message would be sent again."""
    outside = Outside()
    outside.freezes = outside.moves = True
    with pytest.raises(PartitionsRevoked):
        asyncio.run(_carry_out(outside, 60, _command()))
    assert outside.calls == 0
    assert _state(outside).phase is CommandPhase.INTENT


def test_no_intent_is_written_before_it_is_sure_whose_the_partition_is() -> None:
    """A machine that was paused in a long wait for its turn would write over what its successor has sent."""
    outside = Outside()
    outside.lost, outside.moves = 1, True
    with pytest.raises(PartitionsRevoked):
        asyncio.run(_carry_out(outside, 60, _command()))
    assert not outside.durable
    assert not outside.pending


def test_an_intent_that_has_grown_old_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that waited for its connection for minutes would be made when another worker may decide already."""
    monkeypatch.setattr(executor_module, "MIN_INTENT_LIFETIME", 0.0)
    outside = Outside()
    with pytest.raises(RetryAfter):
        asyncio.run(_carry_out(outside, 0, _command()))
    assert (outside.calls, _state(outside).phase) == (0, CommandPhase.RETRY)


def test_a_call_of_several_slow_requests_keeps_its_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file would be uploaded again and again, and the message that it belongs to never be sent."""
    moments = itertools.count(0, 15)  # seconds: less than an intent is fresh, three of them are more
    monkeypatch.setattr("pipeline.clock.now", lambda: Moment(float(next(moments)), 0.0))

    class Uploading(Outside):
        async def deliver(self, command: Command, account: Account, session: ClientSession) -> SendAttempt:
            for _ in range(3):
                require_write_guard()
            return await super().deliver(command, account, session)

    outside = Uploading()
    assert asyncio.run(_carry_out(outside, 0, _command())) is not None
    assert outside.calls == 1


def test_a_kind_of_a_newer_version_waits_for_a_worker_that_knows_it() -> None:
    """While a version is rolled out, the first command of a new kind would be a dead letter or a failed send."""
    outside = Outside()
    newer = Command.model_validate_json(_command().model_dump_json().replace('"text"', '"hologram"', 1))
    assert newer.kind.value == "hologram"
    with pytest.raises(NewerRecord):
        asyncio.run(_carry_out(outside, 60, newer))
    assert not outside.pending


def _state(outside: Outside) -> CommandState:
    state = decode_state(outside.durable["cmd-1"])
    assert state is not None
    return state
