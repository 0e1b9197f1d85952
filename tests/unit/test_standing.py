"""The messenger's state machine: every crash point between two steps ends in one effect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.delivery.standing import Decision, Doubt, Standing, State, decide, decode

DOUBT = Doubt(window=60, resend=True, since=0, heard=101)


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
    assert decide(Standing(State.INTENT, 0), DOUBT._replace(resend=False)) is Decision.GIVE_UP


def test_the_window_begins_when_statuses_can_be_heard() -> None:
    """Without it, an hour's outage would make every send in doubt a second send the moment it ends."""
    assert decide(Standing(State.INTENT, 0), DOUBT._replace(since=1000, heard=1030)) is Decision.WAIT


def test_the_window_does_not_pass_while_statuses_wait_in_a_backlog() -> None:
    """Without it, sends in doubt would be doubled whenever the intake is a minute behind."""
    assert decide(Standing(State.INTENT, 100), DOUBT._replace(heard=159)) is Decision.WAIT


def test_a_read_mark_is_repeated_without_doubt() -> None:
    """Without it, a read mark would hold up its conversation for a minute after a crash."""
    assert decide(Standing(State.INTENT, 100), DOUBT._replace(repeatable=True)) is Decision.CALL


@given(st.builds(Standing, st.sampled_from(State), st.floats(0, 1e10), st.integers(0, 99), st.text(max_size=40)))
def test_a_row_reads_as_it_was_written(standing: Standing) -> None:
    """Without it, a restarted messenger would misread what its predecessor did."""
    assert decode(standing.encode()) == standing
