"""Every command ends: in whatever state its lifetime runs out, it is not called any more and has an outcome."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RetryAfter
from pipeline.messenger import permits
from pipeline.messenger.command_state import CommandPhase, CommandState, decode_state, due_key, encode_due
from pipeline.messenger.dispatch import Dispatcher
from pipeline.messenger.executor import CommandExecutor
from pipeline.messenger.lifetimes import Lifetimes
from pipeline.messenger.permits import REVIEW_INTERVAL
from pipeline.messenger.slots import SlotBounds
from pipeline.metrics import EXPIRED
from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import TestRecord
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.headers import REDRIVEN
from pipeline.topics.lifetimes import DAY, GRACE
from pipeline.topics.outcomes import Outcome, OutcomeStatus
from tests.unit.messenger.test_executor import ACCEPTED, UNKNOWN, Outside

NUMBER = "106540352242922"
AWAY = SendAttempt(AttemptStatus.RETRYABLE, error_message="no connection")
MAX_LOOKS = 10_000


class Messenger:
    """A messenger that lives as long as its test, before a provider and a disk that outlive it.

    Args:
        rate: messages per second of the account.
        stalled: no status webhook is processed any more.
    """

    def __init__(self, *answers: SendAttempt, rate: float = 1000.0, stalled: bool = False, window: float = 60) -> None:
        self.outside = Outside(answers)
        self.outside.now = float(int(self.outside.now))  # the time of a record has no more digits
        self.window = window
        self.stalled_at = self.outside.now if stalled else None
        account = {"provider": "cloud", "id": NUMBER, "token": "t", "limits": {"messages_per_second": rate}}
        self._tenants = Tenants(TenantsFile.model_validate({"tenants": [{"id": "acme", "accounts": [account]}]}))
        self._dispatcher: Dispatcher | None = None
        self.looks: list[float] = []

    def command(self, age: float = 0.0, number: int = 1) -> Command:
        return Command(
            command_id=f"cmd-{number}",
            tenant_id="acme",
            provider="cloud",
            account=NUMBER,
            recipient="15550001111",
            kind=CommandKind.TEXT,
            body={"text": "hi"},
            created_at=datetime.fromtimestamp(self.outside.now - age, UTC),
        )

    def put(self, state: CommandState) -> None:
        self.outside.durable["cmd-1"] = state.encode()

    def end(self, command: Command) -> Outcome | None:
        """The outcome, after as many looks as it takes."""
        return asyncio.run(self._end(command))

    async def _end(self, command: Command) -> Outcome | None:
        if self._dispatcher is None:
            self._dispatcher = Dispatcher(
                {"cloud": self.outside}, self._tenants, SlotBounds(1, 1, 1), now=lambda: self.outside.now
            )
            await self._dispatcher.close()  # the provider of these tests calls nobody
        executor = CommandExecutor(
            self._dispatcher,
            self.window,
            lambda _: self.outside.now if self.stalled_at is None else self.stalled_at,
            now=lambda: self.outside.now,
            lifetimes=Lifetimes(self._tenants),
        )
        for _ in range(MAX_LOOKS):
            self.looks.append(self.outside.now)
            try:
                outcome = await executor.execute(command, self.outside, self.outside)
            except RetryAfter as later:
                self.outside.restart()
                self.outside.now += max(later.delay, 0.01 if self.stalled_at is None else REVIEW_INTERVAL)
            else:
                await self.outside.persist()
                return outcome
        raise AssertionError("it never ended")


def _status(outcome: Outcome | None) -> OutcomeStatus | None:
    return outcome.status if outcome else None


def test_a_backlog_after_an_outage_expires_without_calls_and_permits() -> None:
    """Yesterday's answers would go out today, and today's would wait behind them for their turn."""
    messenger = Messenger(rate=0.001)
    before = EXPIRED.labels("acme", "cloud")._value.get()
    ends = [_status(messenger.end(messenger.command(age=DAY, number=n))) for n in range(50)]
    assert set(ends) == {OutcomeStatus.EXPIRED}
    assert messenger.outside.calls == 0
    assert EXPIRED.labels("acme", "cloud")._value.get() - before == 50
    dispatcher = messenger._dispatcher
    assert dispatcher is not None
    assert dispatcher._permits._accounts == {}, "nobody asked for a permit"


def test_an_account_that_is_away_lets_its_command_expire_within_a_minute_of_its_end() -> None:
    """A command whose gateway is gone would be tried until retention removes it, and nobody be told."""
    messenger = Messenger(*[AWAY] * MAX_LOOKS)
    started = messenger.outside.now
    outcome = messenger.end(messenger.command())
    assert _status(outcome) is OutcomeStatus.EXPIRED
    assert outcome is not None
    assert outcome.retried == messenger.outside.calls > 0
    assert DAY <= messenger.outside.now - started <= DAY + REVIEW_INTERVAL
    calls = messenger.outside.calls
    assert messenger.end(messenger.command()) is None, "it has its outcome"
    assert messenger.outside.calls == calls


@pytest.mark.parametrize("paused", ["cmd-1", f"cloud:{NUMBER}"])
def test_a_pause_ends_no_later_than_what_waits_for_it(paused: str) -> None:
    """A provider that says to come back in a year would keep the commands of its account as long."""
    messenger = Messenger()
    messenger.put(CommandState(CommandPhase.RETRY, messenger.outside.now, 1))
    messenger.outside.durable[due_key(paused)] = encode_due(messenger.outside.now + 300 * DAY)
    started = messenger.outside.now
    assert _status(messenger.end(messenger.command())) is OutcomeStatus.EXPIRED
    assert messenger.outside.now - started <= DAY + REVIEW_INTERVAL
    assert messenger.outside.calls == 0


def test_who_can_not_have_a_permit_in_time_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The permits of expired commands would be lost to those behind them, which still can be sent."""
    monkeypatch.setattr(permits, "MAX_PERMIT_WAIT", 3 * DAY)
    messenger = Messenger(rate=1 / (2 * DAY))
    started = messenger.outside.now
    assert _status(messenger.end(messenger.command())) is OutcomeStatus.EXPIRED
    assert DAY <= messenger.outside.now - started <= DAY + REVIEW_INTERVAL
    dispatcher = messenger._dispatcher
    assert dispatcher is not None
    messenger.outside.now += REVIEW_INTERVAL  # the lifetime of the next one ends behind the first permit, not with it
    later = messenger.command(number=2).model_copy(update={"kind": CommandKind.TEMPLATE})
    assert _status(messenger.end(later)) is OutcomeStatus.ACCEPTED, "the first permit is still there"


def test_a_command_expires_while_it_waits_for_one_that_it_names() -> None:
    """An answer to a message that is held up would hold its conversation up after its own time."""
    messenger = Messenger()
    messenger.outside.durable["cmd-2"] = CommandState(CommandPhase.RETRY, messenger.outside.now, 1).encode()
    naming = messenger.command(age=DAY - 3).model_copy(update={"reply_to": "cmd-2"})
    assert _status(messenger.end(naming)) is OutcomeStatus.EXPIRED
    assert messenger.outside.calls == 0


def test_a_send_in_doubt_ends_as_unknown_and_is_not_repeated_late() -> None:
    """A business would hear that it was not sent, or its customer get it twice, a day apart."""
    messenger = Messenger(ACCEPTED)
    messenger.put(CommandState(CommandPhase.INTENT, messenger.outside.now - 10))
    assert _status(messenger.end(messenger.command(age=DAY + 5))) is OutcomeStatus.UNKNOWN
    assert messenger.outside.calls == 0


def test_a_send_in_doubt_before_its_end_is_repeated_as_ever() -> None:
    """A call that was lost would be given up with the whole day before it."""
    messenger = Messenger(ACCEPTED)
    messenger.put(CommandState(CommandPhase.INTENT, messenger.outside.now))
    assert _status(messenger.end(messenger.command(age=DAY - 120))) is OutcomeStatus.ACCEPTED
    assert messenger.outside.calls == 1


def test_a_status_that_was_held_up_is_believed_after_the_end() -> None:
    """A message that was read would be told as unknown, because our own intake was behind."""
    messenger = Messenger(stalled=True)
    messenger.put(CommandState(CommandPhase.INTENT, messenger.outside.now))
    with pytest.raises(RetryAfter):
        asyncio.run(_look(messenger, messenger.command(age=DAY + 1)))
    messenger.put(CommandState(CommandPhase.RECEIPT, messenger.outside.now, message_id="wamid.7"))
    outcome = messenger.end(messenger.command(age=DAY + 1))
    assert outcome is not None
    assert (outcome.status, outcome.message_id) == (OutcomeStatus.ACCEPTED, "wamid.7")


async def _look(messenger: Messenger, command: Command) -> Outcome | None:
    dispatcher = Dispatcher(
        {"cloud": messenger.outside}, messenger._tenants, SlotBounds(1, 1, 1), now=lambda: messenger.outside.now
    )
    await dispatcher.close()
    stalled = messenger.outside.now - 1000
    executor = CommandExecutor(dispatcher, 60, lambda _: stalled, now=lambda: messenger.outside.now)
    return await executor.execute(command, messenger.outside, messenger.outside)


def test_a_stalled_intake_leaves_no_send_in_doubt_for_ever() -> None:
    """A send in doubt would hold up its conversation until retention removes it."""
    messenger = Messenger(stalled=True)
    messenger.put(CommandState(CommandPhase.INTENT, messenger.outside.now))
    assert _status(messenger.end(messenger.command(age=DAY + GRACE - 5))) is OutcomeStatus.UNKNOWN
    assert messenger.outside.calls == 0


def test_what_was_in_doubt_once_is_not_told_as_never_sent() -> None:
    """A first call whose answer was lost would be forgotten for a second one that was refused."""
    messenger = Messenger(UNKNOWN, *[AWAY] * MAX_LOOKS, window=1)
    assert _status(messenger.end(messenger.command())) is OutcomeStatus.UNKNOWN
    state = decode_state(messenger.outside.durable["cmd-1"])
    assert state is not None
    assert (state.phase, state.resends) == (CommandPhase.CLOSED, 0)
    assert messenger.outside.calls > 2


def test_a_redriven_command_is_sent() -> None:
    """A command that waited for its tenant for a week would be redriven for nothing."""
    messenger = Messenger()
    now = int(messenger.outside.now * 1000)
    messenger.outside.record = TestRecord(b"", headers=((REDRIVEN, b"%d" % now),), timestamp=now)
    assert _status(messenger.end(messenger.command(age=9 * DAY))) is OutcomeStatus.ACCEPTED
    old = messenger.command(age=9 * DAY, number=2)
    code = old.model_copy(update={"expires_at": old.created_at + timedelta(minutes=10)})
    assert _status(messenger.end(code)) is OutcomeStatus.EXPIRED


ANSWERS = st.lists(st.sampled_from([ACCEPTED, AWAY, UNKNOWN]), max_size=4)
STATES = st.none() | st.builds(
    CommandState,
    st.sampled_from([CommandPhase.INTENT, CommandPhase.RETRY]),
    st.just(0.0),
    st.integers(0, 3),
    st.just(""),
    st.integers(0, 3),
    st.just(()),
)


@given(ANSWERS, STATES, st.floats(-100, GRACE + 100), st.booleans())
def test_in_every_state_it_ends_by_the_grace_and_is_never_called_late(
    answers: list[SendAttempt], state: CommandState | None, late: float, stalled: bool
) -> None:
    """Some way through the states would leave a command without an outcome, or send it when its time is over."""
    messenger = Messenger(*answers, *[AWAY] * 50, stalled=stalled, window=1)
    command = messenger.command(age=DAY + late)
    end = messenger.outside.now - late
    called: list[float] = []
    deliver = messenger.outside.deliver

    async def noted(*arguments: object) -> SendAttempt:
        called.append(messenger.outside.now)
        return await deliver(*arguments)  # type: ignore[arg-type]

    messenger.outside.deliver = noted  # type: ignore[method-assign, assignment]
    if state is not None:
        messenger.put(state._replace(updated_at=messenger.outside.now))
    outcome = messenger.end(command)
    assert outcome is not None
    assert all(at < end for at in called)
    if outcome.status is OutcomeStatus.EXPIRED:
        assert state is None or (state.phase is CommandPhase.RETRY and not state.resends)
        assert UNKNOWN not in answers[: len(called)]
    assert messenger.outside.now <= max(end + GRACE, messenger.looks[0]) + REVIEW_INTERVAL
