"""The messenger's state machine: every crash point between two steps ends in one effect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.messenger.command_state import Decision, Doubt, Standing, State, decide, decode

DOUBT = Doubt(window=60, resends=3, since=0, heard=101)


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (None, Decision.CALL),
        (Standing(State.RETRY, 100, 1), Decision.CALL),
        (Standing(State.RECEIPT, 100, detail="wamid"), Decision.RECEIVED),
        (Standing(State.CLOSED, 100, detail="wamid"), Decision.DONE),
        (Standing(State.INTENT, 100), Decision.WAIT),
        (Standing(State.INTENT, 40), Decision.CALL),
    ],
)
def test_what_stands_decides(standing: Standing | None, expected: Decision) -> None:
    """Without it, a command would be sent twice after a crash, or never."""
    assert decide(standing, DOUBT) is expected


def test_a_tenant_that_fears_doubles_gives_up_instead() -> None:
    """Without it, the tenant's policy for sends in doubt would be ignored."""
    assert decide(Standing(State.INTENT, 0), DOUBT._replace(resends=0)) is Decision.GIVE_UP


def test_the_window_begins_when_statuses_can_be_heard() -> None:
    """Without it, an hour's outage would make every send in doubt a second send the moment it ends."""
    assert decide(Standing(State.INTENT, 0), DOUBT._replace(since=1000, heard=1030)) is Decision.WAIT


def test_the_window_does_not_pass_while_statuses_wait_in_a_backlog() -> None:
    """Without it, sends in doubt would be doubled whenever the intake is a minute behind."""
    assert decide(Standing(State.INTENT, 100), DOUBT._replace(heard=159)) is Decision.WAIT


def test_a_read_mark_is_repeated_without_doubt() -> None:
    """Without it, a read mark would hold up its conversation for a minute after a crash."""
    assert decide(Standing(State.INTENT, 100), DOUBT._replace(repeatable=True)) is Decision.CALL


def test_a_send_in_doubt_is_not_sent_again_for_ever() -> None:
    """Without it, a person whose messages are taken and never answered would get the same one every minute."""
    late = DOUBT._replace(heard=1e6)
    decisions = [decide(Standing(State.INTENT, 0, resends=n), late) for n in range(5)]
    assert decisions == [Decision.CALL] * 3 + [Decision.GIVE_UP] * 2


@pytest.mark.parametrize(("resends", "window"), [(0, 60), (1, 120), (3, 480)])
def test_each_window_is_twice_as_long_as_the_one_before(resends: int, window: int) -> None:
    """Without it, all resends would fall into the same short outage, and the message be given up."""
    standing = Standing(State.INTENT, 100, resends=resends)
    assert decide(standing, DOUBT._replace(heard=100 + window - 1)) is Decision.WAIT
    assert decide(standing, DOUBT._replace(heard=100 + window)) is not Decision.WAIT


def test_a_row_without_resends_is_read_by_older_workers_too() -> None:
    """Without it, the workers of the former version would dead-letter every command while they are being replaced."""
    assert decode(b'["intent",100.0,1,""]') == Standing(State.INTENT, 100, 1)
    assert Standing(State.INTENT, 100.0, 1).encode() == b'["intent",100.0,1,""]'


_ROWS = st.builds(
    Standing,
    st.sampled_from(State),
    st.floats(0, 1e10),
    st.integers(0, 99),
    st.text(max_size=40),
    st.integers(0, 9),
    st.lists(st.integers(0, 9) | st.text(max_size=9), max_size=3).map(tuple),
)


@given(_ROWS)
def test_a_row_reads_as_it_was_written(standing: Standing) -> None:
    """Without it, a restarted messenger would misread what its predecessor did."""
    assert decode(standing.encode()) == standing
