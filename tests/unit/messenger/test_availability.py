"""Breakers of accounts and hosts: noticed after a few failures, one probe at a time, closed by an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.messenger.availability import (
    FAILURES,
    HOST_ACCOUNTS,
    PROBE_WAIT,
    PROBES,
    AccountAvailability,
    HostAvailability,
)

LONGEST = PROBES.max_delay * (1 + PROBES.jitter)
ACCOUNTS = 4
CALL, ANSWER, FAIL, ABANDON, PASS = "call", "answer", "fail", "abandon", "pass"
MOVES = st.lists(
    st.tuples(st.sampled_from([CALL, CALL, ANSWER, FAIL, FAIL, FAIL, ABANDON, PASS]), st.integers(0, ACCOUNTS - 1)),
    max_size=120,
)


def _host(accounts: int = ACCOUNTS) -> list[AccountAvailability]:
    host = HostAvailability()
    return [AccountAvailability(f"account-{number}", host) for number in range(accounts)]


def _fail(account: AccountAvailability, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        account.unanswered(account.begin(), now, 0.0)


def test_an_account_is_held_after_a_few_failures_in_a_row() -> None:
    """Every command of an account whose gateway is away would wait for its own timeout."""
    (account,) = _host(1)
    _fail(account, FAILURES - 1)
    assert account.delay(0) == 0
    _fail(account, 1)
    assert account.delay(0) == PROBES.initial_delay


def test_an_answer_between_failures_keeps_it_closed() -> None:
    """A gateway that loses one call in ten would be taken for one that is away."""
    (account,) = _host(1)
    for _ in range(10):
        _fail(account, FAILURES - 1)
        assert account.answered(0) == (True, False, False)
    assert account.delay(0) == 0


def test_one_probe_at_a_time_decides() -> None:
    """A thousand commands would try a gateway together that has just come back, or is still away."""
    (account,) = _host(1)
    _fail(account, FAILURES)
    due = account.delay(0)
    assert account.delay(due) == 0
    probed = account.begin()
    assert account.delay(due) == PROBE_WAIT
    account.unanswered(probed, due, 0.0)
    assert account.delay(due) == 2 * PROBES.initial_delay, "the next pause is longer"
    later = due + account.delay(due)
    account.begin()
    assert account.answered(later) == (True, True, False)
    assert account.delay(later) == 0


def test_a_probe_that_was_not_made_leaves_its_place_to_the_next() -> None:
    """An account would be held for ever after its probe's partition has moved."""
    (account,) = _host(1)
    _fail(account, FAILURES)
    due = account.delay(0)
    for breaker in account.begin():
        breaker.abandon_probe()
    assert account.delay(due) == 0


def test_calls_from_before_do_not_prolong_the_pause() -> None:
    """Twenty calls that hang end together: each would double the pause, and a short hang would cost a minute."""
    (account,) = _host(1)
    before = [account.begin() for _ in range(20)]
    for probed in before:
        account.unanswered(probed, 0, 0.0)
    assert account.delay(0) == PROBES.initial_delay


def test_a_host_is_held_when_several_accounts_show_it() -> None:
    """The accounts of many tenants would each find out alone that their common host is away."""
    accounts = _host(HOST_ACCOUNTS + 1)
    changes = [each.unanswered(each.begin(), 0, 0.0) for _ in range(2) for each in accounts[:-1]]
    assert [change.host for change in changes].index(True) == FAILURES - 1
    assert accounts[-1].delay(0) > 0, "it has not failed itself"


def test_one_account_does_not_hold_its_host() -> None:
    """One session that hangs would stop the sessions of other tenants on the same server."""
    first, *others = _host()
    _fail(first, 100)
    assert first.delay(0) > 0
    assert [other.delay(0) for other in others] == [0] * len(others)


def test_a_host_that_answers_lets_its_accounts_probe_at_once() -> None:
    """Accounts would wait a minute more although their host is back."""
    accounts = _host(HOST_ACCOUNTS)
    for each in accounts:
        _fail(each, FAILURES)
    for _ in range(5):  # their pauses grow
        for each in accounts:
            each.unanswered((each.breaker,), 0, 0.0)
    due = accounts[0].host.breaker.delay(0)
    assert accounts[1].delay(due) > 0
    assert accounts[0].answered(due) == (True, True, True)
    assert [each.delay(due) for each in accounts] == [0] * HOST_ACCOUNTS


def test_a_reset_closes_all() -> None:
    """An account that another worker found to be back would be held for what this one remembers."""
    accounts = _host(HOST_ACCOUNTS)
    for each in accounts:
        _fail(each, FAILURES)
        each.reset()
    assert [each.delay(0) for each in accounts] == [0] * HOST_ACCOUNTS
    assert not accounts[0].host.held


@given(MOVES, st.floats(0, 1))
def test_whatever_happens_calls_are_held_for_a_bounded_time_and_probes_come_one_by_one(
    moves: list[tuple[str, int]], share: float
) -> None:
    """An account would never be tried again, or a dead host be called by everybody."""
    accounts, now = _host(), 0.0
    calls: list[tuple[AccountAvailability, tuple[object, ...]]] = []
    for move, number in moves:
        account = accounts[number]
        if move == PASS:
            now += account.delay(now)
        elif move == CALL:
            if account.delay(now) == 0:
                calls.append((account, account.begin()))
        elif calls:
            called, probed = calls.pop(number % len(calls))
            _end(move, called, probed, now, share)
        for each in accounts:
            assert 0 <= each.delay(now) <= LONGEST
            assert (each in each.host.held) == each.breaker.open
        breakers = [accounts[0].host.breaker, *(each.breaker for each in accounts)]
        closed = [breaker for breaker in breakers if not breaker.open]  # what probed them is a call like others
        calls = [(called, tuple(each for each in probed if each not in closed)) for called, probed in calls]
        assert all(sum(breaker in probed for _, probed in calls) <= 1 for breaker in breakers)
    for called, probed in calls:
        _end(ANSWER, called, probed, now, share)
    for each in accounts:
        each.answered(now)
        assert each.delay(now) == 0


def _end(move: str, account: AccountAvailability, probed: tuple[object, ...], now: float, share: float) -> None:
    found = tuple(breaker for breaker in (account.breaker, account.host.breaker) if breaker in probed)
    if move == ABANDON:
        for breaker in found:
            breaker.abandon_probe()
    elif move == FAIL:
        account.unanswered(found, now, share)
    else:
        account.answered(now)


@pytest.mark.parametrize("openings", [1, 2, 5, 1000])
def test_pauses_grow_up_to_a_minute(openings: int) -> None:
    """A gateway that was away for a night would be tried again hours after it is back."""
    (account,) = _host(1)
    _fail(account, FAILURES)
    for _ in range(openings - 1):
        account.unanswered((account.breaker,), 0, 0.0)
    assert account.delay(0) == min(PROBES.max_delay, PROBES.initial_delay * 2 ** min(openings - 1, 20))
