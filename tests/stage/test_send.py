"""send and receive: each command has one effect at its provider, whatever dies in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal

import orjson
import pytest
from aiohttp import ClientSession
from pydantic import SecretStr

from pipeline.agents.receive import receive
from pipeline.agents.send import send
from pipeline.messenger.code_counts import CodeCounts, Count, do_not_count
from pipeline.messenger.dispatch import Deliver, Dispatcher, deliver_plainly
from pipeline.messenger.executor import MAX_RESENDS, CommandExecutor
from pipeline.messenger.slots import SlotBounds
from pipeline.providers.base import AttemptStatus, SendAttempt, Slice, WebhookRequest
from pipeline.providers.cloud import error_codes
from pipeline.tenants import Account, Tenants, TenantsFile
from pipeline.testing import TestRecord, TopologyTestDriver
from pipeline.topics.catalogue import OUTCOMES, SENT
from pipeline.topics.codec import decode_outcome, encode_command, encode_receipt
from pipeline.topics.commands import Command, CommandKind, command_id
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.outcomes import Outcome, OutcomeStatus
from pipeline.topics.receipts import Receipt
from pipeline.topics.records import ConsumedRecord, Record, header
from tests.stage.pieces import NUMBER

WINDOW = 0.1
ACCEPTED = SendAttempt(AttemptStatus.ACCEPTED, "wamid.1")


class Died(BaseException):
    """The process is gone: nobody catches it."""


class Provider:
    """A provider that does what it is told and then gives the next answer, or never answers."""

    name = "cloud"
    kinds = frozenset(CommandKind)
    codes = error_codes.TABLE

    def __init__(self, *answers: SendAttempt | Died) -> None:
        self.answers = list(answers)
        self.calls: list[str] = []

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> SendAttempt:
        self.calls.append(command.command_id)
        answer = self.answers.pop(0)
        if isinstance(answer, Died):
            raise answer
        return answer

    def contact(self, recipient: str) -> str:
        return recipient

    def authenticate(self, request: WebhookRequest, tenants: Tenants) -> bool:
        return False

    def split(self, request: WebhookRequest, tenants: Tenants) -> Sequence[Slice]:
        return ()

    def parse(self, record: ConsumedRecord) -> Iterable[ParsedEvent]:
        return ()


def _driver(
    provider: Provider,
    in_doubt: Literal["resend", "give_up"] = "resend",
    window: float = WINDOW,
    deliver: Deliver = deliver_plainly,
    count: Count = do_not_count,
) -> TopologyTestDriver:
    account = {"provider": "cloud", "id": NUMBER, "token": "t"}
    tenant = {"id": "acme", "in_doubt": in_doubt, "accounts": [account]}
    known = Tenants(TenantsFile.model_validate({"tenants": [tenant]}))

    async def dispatcher() -> Dispatcher:
        made = Dispatcher({"cloud": provider}, known, SlotBounds(1, 1, 1), deliver)
        await made.close()  # the provider of these tests calls nobody
        return made

    return TopologyTestDriver(send(CommandExecutor(asyncio.run(dispatcher()), window), count=count), tables=[SENT])


def _command(number: int = 1, account: str = NUMBER) -> Command:
    return Command(
        command_id=command_id(f"e-{number}", 0),
        event_id=f"e-{number}",
        tenant_id="acme",
        provider="cloud",
        account=account,
        recipient="15550001111",
        kind=CommandKind.TEXT,
        body={"text": "hello"},
        created_at=datetime.now(UTC),
    )


def _record(command: Command) -> TestRecord:
    return TestRecord.of(encode_command(command))


def _outcome(record: Record) -> Outcome:
    return decode_outcome(TestRecord.of(record))


def test_a_command_is_sent_once_and_its_outcome_is_written() -> None:
    """A command that is read again after a restart would be sent again."""
    provider = Provider(ACCEPTED)
    driver = _driver(provider)
    (record,) = driver.pipe(_record(_command()))
    assert (record.topic, record.key) == (OUTCOMES.name, f"cloud:{NUMBER}".encode())
    outcome = _outcome(record)
    assert (outcome.status, outcome.message_id) == (OutcomeStatus.ACCEPTED, "wamid.1")
    assert driver.pipe(_record(_command())) == []
    driver.restart()
    assert driver.pipe(_record(_command())) == []
    assert provider.calls == [_command().command_id]


def test_a_process_that_died_before_the_answer_learns_of_it_by_the_receipt() -> None:
    """The person would get the message twice."""
    provider = Provider(Died())
    driver, receiver = _driver(provider), TopologyTestDriver(receive(), tables=[SENT])
    with pytest.raises(Died):
        driver.pipe(_record(_command()))
    driver.restart()

    receiver.rows(SENT).update(driver.rows(SENT))
    receipt = Receipt(command_id=_command().command_id, message_id="wamid.7", status="sent")
    assert receiver.pipe(TestRecord.of(encode_receipt(receipt, "cloud", NUMBER))) == []
    driver.rows(SENT).update(receiver.rows(SENT))

    outcome = _outcome(driver.pipe(_record(_command()))[0])
    assert (outcome.status, outcome.message_id) == (OutcomeStatus.ACCEPTED, "wamid.7")
    assert len(provider.calls) == 1


@pytest.mark.parametrize(
    ("in_doubt", "calls", "status"), [("resend", 2, OutcomeStatus.ACCEPTED), ("give_up", 1, OutcomeStatus.UNKNOWN)]
)
def test_when_no_receipt_comes_the_tenants_policy_decides(
    in_doubt: Literal["resend", "give_up"], calls: int, status: OutcomeStatus
) -> None:
    """A tenant that must never write twice would, or one that must write would stay silent."""
    provider = Provider(Died(), ACCEPTED)
    driver = _driver(provider, in_doubt)
    with pytest.raises(Died):
        driver.pipe(_record(_command()))
    driver.restart()
    assert _outcome(driver.pipe(_record(_command()))[0]).status is status
    assert len(provider.calls) == calls


def test_a_process_that_dies_of_a_command_is_not_killed_by_it_for_ever() -> None:
    """A command whose every call ends the messenger would be called again whenever its worker comes back."""
    provider = Provider(*(Died() for _ in range(9)))
    driver = _driver(provider, window=0)
    for _ in range(1 + MAX_RESENDS):
        with pytest.raises(Died):
            driver.pipe(_record(_command()))
        driver.restart()
    assert _outcome(driver.pipe(_record(_command()))[0]).status is OutcomeStatus.UNKNOWN
    assert len(provider.calls) == 1 + MAX_RESENDS


def test_what_is_never_answered_is_sent_a_few_times_and_then_told_as_unknown() -> None:
    """A person would get the same message every minute, and the business would never hear of it."""
    provider = Provider(*(SendAttempt(AttemptStatus.UNKNOWN) for _ in range(9)))
    (record,) = _driver(provider, window=0.01).pipe(_record(_command()))
    assert _outcome(record).status is OutcomeStatus.UNKNOWN
    assert len(provider.calls) == 1 + MAX_RESENDS


def test_a_process_that_died_after_the_answer_does_not_call_again() -> None:
    """The moment between the outcome's acknowledgement and the table's would send a message twice."""
    provider = Provider(ACCEPTED)
    driver, receiver = _driver(provider), TopologyTestDriver(receive(), tables=[SENT])
    driver.pipe(_record(_command()), crash_before_mark=True)
    receiver.rows(SENT).update(driver.rows(SENT))
    receipt = Receipt(command_id=_command().command_id, message_id="wamid.1", status="sent")
    receiver.pipe(TestRecord.of(encode_receipt(receipt, "cloud", NUMBER)))
    driver.rows(SENT).update(receiver.rows(SENT))
    assert _outcome(driver.pipe(_record(_command()))[0]).message_id == "wamid.1"
    assert len(provider.calls) == 1


def test_a_receipt_does_not_reopen_a_command_that_has_its_outcome() -> None:
    """A late status would have the command carried out again."""
    provider = Provider(ACCEPTED)
    driver, receiver = _driver(provider), TopologyTestDriver(receive(), tables=[SENT])
    driver.pipe(_record(_command()))
    receiver.rows(SENT).update(driver.rows(SENT))
    receipt = Receipt(command_id=_command().command_id, message_id="wamid.1", status="sent")
    receiver.pipe(TestRecord.of(encode_receipt(receipt, "cloud", NUMBER)))
    assert receiver.rows(SENT) == driver.rows(SENT)


def test_what_was_refused_for_good_is_an_outcome_and_not_a_dead_letter() -> None:
    """The business would not learn that its message was refused, nor why."""
    provider = Provider(SendAttempt(AttemptStatus.PERMANENT, error_code=131047, error_message="too late"))
    driver = _driver(provider)
    outcome = _outcome(driver.pipe(_record(_command()))[0])
    assert (outcome.status, outcome.error_code) == (OutcomeStatus.FAILED, 131047)
    assert not driver.dead_letters


@pytest.mark.parametrize(
    ("record", "error"),
    [
        (TestRecord(b"not JSON"), "InvalidRecord"),
        (TestRecord(orjson.dumps({"command_id": "x"})), "InvalidRecord"),
        (_record(_command(account="106540352242999")), "UnknownTenant"),
    ],
)
def test_what_is_no_command_of_ours_is_a_dead_letter(record: TestRecord, error: str) -> None:
    """A producer's mistake would stop an account, or vanish."""
    driver = _driver(Provider())
    (letter,) = driver.pipe(record)
    assert (letter.topic, header(letter.headers, "error-type")) == ("dead-letters.send", error)
    assert letter.value == record.value


def test_outcomes_are_counted_where_they_are_published_and_each_once() -> None:
    """Nobody would see which code a campaign fails with, or one failure would be many after a restart."""
    codes = CodeCounts({"cloud": Provider()})
    too_late = SendAttempt(AttemptStatus.PERMANENT, error_code=131047, error_message="too late")
    driver = _driver(Provider(ACCEPTED, too_late), count=codes.count)
    receiver = TopologyTestDriver(receive(count=codes.count), tables=[SENT])
    for number in (1, 2, 2):
        driver.pipe(_record(_command(number)))
    account = Account(provider="cloud", id=NUMBER, token=SecretStr("t"))
    assert codes.describe(account) == {"failed_outcomes": {"131047": 1}}
    receiver.rows(SENT).update(driver.rows(SENT))
    failed = Receipt(command_id=_command().command_id, message_id="wamid.1", status="failed", error_code=131026)
    for _ in range(2):
        receiver.pipe(TestRecord.of(encode_receipt(failed, "cloud", NUMBER)))
    assert codes.describe(account) == {"failed_outcomes": {"131047": 1, "131026": 1}}
