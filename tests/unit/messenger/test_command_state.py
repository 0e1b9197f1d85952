"""The messenger's state machine: every crash point between two steps ends in one effect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import NewerRecord
from pipeline.messenger.command_state import (
    CommandPhase,
    CommandState,
    InDoubtPolicy,
    NextAction,
    decode_state,
    is_intent,
    may_be_done,
    next_action,
)
from pipeline.topics.lifetimes import GRACE

POLICY = InDoubtPolicy(window=60, max_resends=3, listening_since=0, watermark=101)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (None, NextAction.CALL),
        (CommandState(CommandPhase.RETRY, 100, 1), NextAction.CALL),
        (CommandState(CommandPhase.RECEIPT, 100, message_id="wamid"), NextAction.RECEIVED),
        (CommandState(CommandPhase.CLOSED, 100, message_id="wamid"), NextAction.DONE),
        (CommandState(CommandPhase.INTENT, 100), NextAction.WAIT),
        (CommandState(CommandPhase.INTENT, 40), NextAction.CALL),
    ],
)
def test_the_state_decides(state: CommandState | None, expected: NextAction) -> None:
    """Without it, a command would be sent twice after a crash, or never."""
    assert next_action(state, POLICY) is expected


def test_a_tenant_that_fears_doubles_gives_up_instead() -> None:
    """Without it, the tenant's policy for sends in doubt would be ignored."""
    assert next_action(CommandState(CommandPhase.INTENT, 0), POLICY._replace(max_resends=0)) is NextAction.GIVE_UP


def test_the_window_begins_when_statuses_can_be_heard() -> None:
    """Without it, an hour's outage would make every send in doubt a second send the moment it ends."""
    assert (
        next_action(CommandState(CommandPhase.INTENT, 0), POLICY._replace(listening_since=1000, watermark=1030))
        is NextAction.WAIT
    )


def test_the_window_does_not_pass_while_statuses_wait_in_a_backlog() -> None:
    """Without it, sends in doubt would be doubled whenever the intake is a minute behind."""
    assert next_action(CommandState(CommandPhase.INTENT, 100), POLICY._replace(watermark=159)) is NextAction.WAIT


def test_a_read_mark_is_repeated_without_doubt() -> None:
    """Without it, a read mark would hold up its conversation for a minute after a crash."""
    assert next_action(CommandState(CommandPhase.INTENT, 100), POLICY._replace(repeatable=True)) is NextAction.CALL


def test_a_send_in_doubt_is_not_sent_again_for_ever() -> None:
    """Without it, a person whose messages are taken and never answered would get the same one every minute."""
    late = POLICY._replace(watermark=1e6)
    decisions = [next_action(CommandState(CommandPhase.INTENT, 0, resends=n), late) for n in range(5)]
    assert decisions == [NextAction.CALL] * 3 + [NextAction.GIVE_UP] * 2


@pytest.mark.parametrize(("resends", "window"), [(0, 60), (1, 120), (3, 480)])
def test_each_window_is_twice_as_long_as_the_one_before(resends: int, window: int) -> None:
    """Without it, all resends would fall into the same short outage, and the message be given up."""
    state = CommandState(CommandPhase.INTENT, 100, resends=resends)
    assert next_action(state, POLICY._replace(watermark=100 + window - 1)) is NextAction.WAIT
    assert next_action(state, POLICY._replace(watermark=100 + window)) is not NextAction.WAIT


def test_a_row_without_resends_is_read_by_older_workers_too() -> None:
    """Without it, the workers of the former version would dead-letter every command while they are being replaced."""
    assert decode_state(b'["intent",100.0,1,""]') == CommandState(CommandPhase.INTENT, 100, 1)
    assert CommandState(CommandPhase.INTENT, 100.0, 1).encode() == b'["intent",100.0,1,""]'


@pytest.mark.parametrize("resends", [0, 1, 2])
def test_a_send_in_doubt_is_not_repeated_after_its_deadline(resends: int) -> None:
    """A person would get yesterday's answer a second time; or it would be told as never sent, which nobody knows."""
    state = CommandState(CommandPhase.INTENT, 0, resends=resends)
    heard = POLICY._replace(watermark=1e6)
    assert next_action(state, heard._replace(late=-1)) is NextAction.CALL
    assert next_action(state, heard._replace(late=0)) is NextAction.GIVE_UP


def test_a_send_in_doubt_waits_for_its_status_beyond_its_deadline_but_not_for_ever() -> None:
    """The status in a backlog would not be believed; or a broken intake would leave the command to retention."""
    state = CommandState(CommandPhase.INTENT, 100)
    assert next_action(state, POLICY._replace(late=GRACE - 1)) is NextAction.WAIT
    assert next_action(state, POLICY._replace(late=GRACE)) is NextAction.GIVE_UP


_ROWS = st.builds(
    CommandState,
    st.sampled_from(CommandPhase),
    st.floats(0, 1e10),
    st.integers(0, 99),
    st.text(max_size=40),
    st.integers(0, 9),
    st.lists(st.integers(0, 9) | st.text(max_size=9), max_size=3).map(tuple),
)


@given(_ROWS)
def test_a_row_reads_as_it_was_written(state: CommandState) -> None:
    """Without it, a restarted messenger would misread what its predecessor did."""
    assert decode_state(state.encode()) == state


@given(
    _ROWS,
    st.floats(0, 1e6),
    st.integers(0, 9),
    st.floats(-1e9, 1e9),
    st.floats(-1e9, 1e9),
    st.floats(GRACE, 1e12),
)
def test_after_its_deadline_and_the_grace_no_state_waits(
    state: CommandState, window: float, resends: int, listening: float, watermark: float, late: float
) -> None:
    """A command that can't end would hold its conversation until retention removes it."""
    policy = InDoubtPolicy(window, resends, listening, watermark, late=late)
    assert next_action(state, policy) is not NextAction.WAIT
    assert next_action(state, policy) is not NextAction.CALL or state.phase is CommandPhase.RETRY


@given(_ROWS)
def test_only_what_was_never_in_doubt_is_surely_not_done(state: CommandState) -> None:
    """A business would hear that nothing was sent, and its customer has read it."""
    assert may_be_done(state) == (state.phase is CommandPhase.INTENT or state.resends > 0)
    assert not may_be_done(None)


@pytest.mark.parametrize("phase", CommandPhase)
def test_only_an_intent_allows_a_request(phase: CommandPhase) -> None:
    """A request would be written for a command that a status has settled, or for none."""
    assert is_intent(CommandState(phase, 100.0).encode()) is (phase is CommandPhase.INTENT)
    assert is_intent(CommandState(phase, 100.0, 1, "wamid.1", 2, ("more",)).encode()) is (phase is CommandPhase.INTENT)
    assert not is_intent(None)


def test_an_intent_of_another_form_is_one_and_a_newer_row_none_that_is_known() -> None:
    """A row that is compared by its first bytes alone would mean something else once its form changes."""
    assert is_intent(b'[ "intent", 100.0, 1, "" ]')
    with pytest.raises(NewerRecord):
        is_intent(b'[2,"intent",100.0,1,""]')
