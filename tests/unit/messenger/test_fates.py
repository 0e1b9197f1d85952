"""Fates: each status adds what is new about its command, once. `test_crashes_of_send` kills it everywhere."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.errors import KeyUnavailable, RetryAfter
from pipeline.messenger.command_state import CommandPhase, CommandState
from pipeline.messenger.fates import Fates
from pipeline.tenants import Tenants, TenantsFile
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.outcomes import Outcome, OutcomeStatus
from pipeline.topics.receipts import NO_COMMAND, Receipt
from tests.unit.messenger.test_contacts import Rows

AT = 1_767_268_800.0
SENT_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
CLOSED = CommandState(CommandPhase.CLOSED, AT, message_id="wamid.1")
INTENT = CommandState(CommandPhase.INTENT, AT)
ACCEPTED, DELIVERED, READ, FAILED = (
    OutcomeStatus.ACCEPTED,
    OutcomeStatus.DELIVERED,
    OutcomeStatus.READ,
    OutcomeStatus.FAILED,
)


def _fates() -> Fates:
    accounts = [{"provider": name, "id": "1", "token": "t"} for name in ("cloud", "waha")]
    tenants = Tenants(TenantsFile.model_validate({"tenants": [{"id": "acme", "accounts": accounts}]}))
    return Fates(tenants, ["waha"])


def _receipt(status: str, **more: Any) -> Receipt:
    given: dict[str, Any] = {"command_id": "cmd-1", "message_id": "wamid.1", "at": AT} | more
    return Receipt(status=status, **given)


def _command(provider: str = "cloud") -> Command:
    about = {"command_id": "cmd-1", "event_id": "e-1", "tenant_id": "acme", "provider": provider, "account": "1"}
    what = {"recipient": "15550001111", "kind": CommandKind.TEXT, "campaign": "spring", "tags": ("vip",)}
    return Command(**about, **what, created_at=SENT_AT)


def _first(provider: str = "cloud", **more: Any) -> Outcome:
    own = _command(provider).model_dump(include={*Outcome.model_fields})
    return Outcome(**own, status=ACCEPTED, at=SENT_AT, **{"message_id": "wamid.1"} | more)


def _told(rows: Rows, *statuses: str, state: CommandState | None = CLOSED) -> list[OutcomeStatus]:
    """What these statuses add, one after the other, each to a process that knows the rows only."""
    found = [_fates().next(_receipt(each), state, "cloud:1", rows) for each in statuses]
    return [outcome.status for outcomes in found for outcome in outcomes]


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        (["sent", "delivered", "read"], [DELIVERED, READ]),
        (["delivered", "delivered", "sent", "read", "delivered", "read", "played"], [DELIVERED, READ]),
        (["read", "delivered", "sent"], [READ]),
        (["played", "read"], [READ]),
        (["failed", "failed", "sent", "delivered", "read"], [FAILED]),
        (["delivered", "failed", "read"], [DELIVERED, READ]),
        (["pending", "a status of tomorrow", ""], []),
    ],
)
def test_each_step_is_told_once(statuses: list[str], told: list[OutcomeStatus]) -> None:
    """A consumer would count a message twice, or see one that was read become unread."""
    assert _told(Rows(), *statuses) == told


def test_repeated_statuses_in_any_order_end_with_the_furthest() -> None:
    """A webhook that is delivered again days later would undo what is known."""
    for order in itertools.permutations(["sent", "delivered", "read", "delivered", "read"]):
        told = _told(Rows(), *order)
        assert told in ([DELIVERED, READ], [READ])


def test_a_final_outcome_says_all_that_its_status_did() -> None:
    """A consumer could not tell whose message failed, why, or of which campaign it was."""
    receipt = _receipt(
        "failed",
        recipient="US.1",
        error_code=131049,
        error_message="Healthy ecosystem",
        sent_at=SENT_AT,
        campaign="spring",
        tags=("vip",),
    )
    (outcome,) = _fates().next(receipt, CLOSED, "cloud:1", Rows())
    assert outcome == Outcome(
        command_id="cmd-1",
        tenant_id="acme",
        provider="cloud",
        account="1",
        recipient="US.1",
        status=FAILED,
        message_id="wamid.1",
        error_code=131049,
        error_message="Healthy ecosystem",
        by_status=True,
        at=datetime.fromtimestamp(AT, UTC),
        sent_at=SENT_AT,
        campaign="spring",
        tags=("vip",),
    )


def test_a_status_during_the_call_comes_behind_the_first_outcome() -> None:
    """A consumer that keeps the last record would take a message that failed for one that was accepted."""
    fates, rows = _fates(), Rows()
    with fates.execution(_command()):
        assert fates.next(_receipt("delivered"), INTENT, "cloud:1", rows) == []
        assert fates.next(_receipt("delivered"), INTENT, "cloud:1", rows) == []
        assert fates.next(_receipt("read", campaign="lost"), INTENT, "cloud:1", rows) == []
    first, *others = fates.first(_first(), rows)
    assert (first, [each.status for each in others]) == (_first(), [DELIVERED, READ])
    assert {(each.event_id, each.campaign, each.by_status) for each in others} == {("e-1", "spring", True)}
    assert fates.first(_first(), rows) == [_first()], "it is told once"
    assert _told(rows, "delivered", "read") == []


def test_what_was_held_by_a_process_that_died_is_told_by_the_next() -> None:
    """The fate of a send in doubt would be lost with the process that waited for it."""
    fates, rows = _fates(), Rows()
    with fates.execution(_command()):
        fates.next(_receipt("failed", error_code=131026), INTENT, "cloud:1", rows)
    first, failed = _fates().first(_first(by_status=True), rows)
    assert (first.status, failed.status, failed.error_code) == (ACCEPTED, FAILED, 131026)


def test_what_is_held_for_a_command_that_another_worker_closed_is_told() -> None:
    """A worker that was frozen closes the command, and the fate that its successor holds would be lost."""
    fates, rows = _fates(), Rows()
    with fates.execution(_command()):
        fates.next(_receipt("delivered"), INTENT, "cloud:1", rows)
    assert [each.status for each in _fates().rest(_command(), rows)] == [DELIVERED]
    assert _fates().rest(_command(), rows) == []


@pytest.mark.parametrize("error", [KeyUnavailable("paused", 1), ValueError()])
def test_a_command_that_is_not_in_doubt_holds_nothing(error: Exception) -> None:
    """Ids of parked commands would fill the memory."""
    fates, rows = _fates(), Rows()
    with pytest.raises(type(error)), fates.execution(_command()):
        raise error
    assert [each.status for each in fates.next(_receipt("read"), INTENT, "cloud:1", rows)] == [READ]


def test_a_command_in_doubt_holds_its_statuses_between_its_tries() -> None:
    """The status that resolves it would be told before it is resolved."""
    fates, rows = _fates(), Rows()
    with pytest.raises(RetryAfter), fates.execution(_command()):
        raise RetryAfter("waiting for its status", 1)
    assert fates.next(_receipt("read"), INTENT, "cloud:1", rows) == []


def test_what_is_held_goes_first_when_nobody_else_tells_it() -> None:
    """A delivery that was held before a restart would be missing once the message is read."""
    fates, rows = _fates(), Rows()
    with fates.execution(_command()):
        fates.next(_receipt("delivered"), INTENT, "cloud:1", rows)
    assert _told(rows, "read", state=INTENT) == [DELIVERED, READ]


def test_a_status_of_a_command_whose_row_is_gone_is_told() -> None:
    """A message that is read after a holiday would stay unread."""
    rows = Rows()
    assert _told(rows, "sent", state=None) == []
    assert _told(rows, "read", "read", state=CommandState(CommandPhase.RECEIPT, AT)) == [READ]


def test_sent_resolves_an_unknown_outcome() -> None:
    """A send that was given up as unknown would stay so, though the provider has it."""
    rows, unknown = Rows(), CommandState(CommandPhase.CLOSED, AT)
    assert _told(rows, "sent", "sent", "delivered", state=unknown) == [ACCEPTED, DELIVERED]


def test_a_member_that_a_message_did_not_reach_does_not_fail_the_group() -> None:
    """A message to a group would be sent again, because one of its members has a new phone."""
    fates, rows = _fates(), Rows()
    assert fates.next(_receipt("failed", of_member=True), CLOSED, "cloud:1", rows) == []
    assert [each.status for each in fates.next(_receipt("delivered", of_member=True), CLOSED, "cloud:1", rows)]


def _by_message(status: str) -> Receipt:
    return _receipt(status, command_id=NO_COMMAND, message_id="true_15550001111@c.us_A", recipient="15550001111")


@pytest.mark.parametrize("answered", ["true_15550001111@c.us_A", "A"])
@pytest.mark.parametrize("early", [0, 1, 2])
def test_statuses_without_callback_data_are_joined_by_the_message(early: int, answered: str) -> None:
    """A tenant on a gateway would never hear what became of its sends; statuses may come before the answer."""
    rows, told = Rows(), list[Outcome]()
    statuses = ["delivered", "read"]
    for status in statuses[:early]:
        assert _fates().next(_by_message(status), None, "waha:1", rows) == []
    told += _fates().first(_first("waha", message_id=answered), rows)
    for status in (*statuses[early:], *statuses):
        told += _fates().next(_by_message(status), None, "waha:1", rows)
    assert [each.status for each in told] == [ACCEPTED, DELIVERED, READ]
    assert {(each.command_id, each.tenant_id, each.campaign, each.tags) for each in told} == {
        ("cmd-1", "acme", "spring", ("vip",))
    }


def test_a_message_that_somebody_typed_is_no_commands() -> None:
    """A reply that was typed on the phone would be reported as a send."""
    rows = Rows()
    assert _fates().next(_by_message("read"), None, "waha:1", rows) == []
    assert _fates().next(_by_message("sent"), None, "waha:1", rows) == []
    assert _fates().first(_first("waha", message_id=None), rows) == [_first("waha", message_id=None)]


def test_the_latest_outcome_is_found_in_any_order() -> None:
    """Records that come twice or late would leave a consumer with an older step."""
    unknown, failed = _first().model_copy(update={"status": OutcomeStatus.UNKNOWN}), _first()
    failed = failed.model_copy(update={"status": FAILED})
    steps = [unknown, _first(), failed, *(_first().model_copy(update={"status": each}) for each in (DELIVERED, READ))]
    for earlier, later in itertools.pairwise(steps):
        assert later.supersedes(earlier)
        assert not earlier.supersedes(later)
        assert not later.supersedes(later)
