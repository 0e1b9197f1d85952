"""Token buckets: never over the limit, in order, across restarts, and as fast as the limit allows."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from pipeline.messenger import Limiter, TokenBucket
from pipeline.sandbox.limits import LimitEnforcer, SandboxLimits
from pipeline.tenants import Account, AccountLimits

RATES = st.floats(0.1, 1000)
CAPACITIES = st.floats(1, 100)
GAPS = st.floats(0, 5) | st.just(0.0)
RESTART, SLOW_DOWN, TAKE = "restart", "slow down", "take"
MOVES = st.lists(st.tuples(st.sampled_from([TAKE] * 8 + [RESTART, SLOW_DOWN]), GAPS), min_size=1, max_size=120)


def permits(rate: float, capacity: float, moves: list[tuple[str, float]], restarts: bool = True) -> list[float]:
    """The times of all permits that a program of moves is given, in the order of asking."""
    now, bucket = 1000.0, TokenBucket(rate, capacity, 1000.0)
    given_at: list[float] = []
    for move, gap in moves:
        now += gap
        if move == RESTART and restarts:
            now = max([now, *given_at])
            bucket = TokenBucket(rate, capacity, now)
        elif move == SLOW_DOWN:
            bucket.slow_down(now, gap)
        else:
            expected = bucket.wait(now)
            given_at.append(now + bucket.reserve(now))
            assert given_at[-1] - now == pytest.approx(expected)
    return given_at


@given(RATES, CAPACITIES, MOVES)
def test_no_window_holds_too_many(rate: float, capacity: float, moves: list[tuple[str, float]]) -> None:
    """If any window held more than the limit, the provider would throttle the number, restarts included."""
    times = permits(rate, capacity, moves)
    for first, start in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= capacity + rate * (times[last] - start) + 1e-6


@given(RATES, CAPACITIES, MOVES)
def test_nobody_overtakes(rate: float, capacity: float, moves: list[tuple[str, float]]) -> None:
    """If a later command were given an earlier time, messages of one conversation would change places."""
    times = permits(rate, capacity, moves, restarts=False)
    assert all(earlier <= later + 1e-9 for earlier, later in pairwise(times))


@given(RATES, CAPACITIES, MOVES, st.floats(0, 100))
def test_a_permit_that_comes_too_late_is_not_spent(
    rate: float, capacity: float, moves: list[tuple[str, float]], within: float
) -> None:
    """Commands that expire while they wait would use up the permits of those that could still be sent."""
    one, other = (TokenBucket(rate, capacity, 0.0) for _ in range(2))
    now = 0.0
    for _, gap in moves:
        now += gap
        delay = one.reserve(now, within)
        if delay <= within:
            other.reserve(now)
        assert one.wait(now) == other.wait(now)


@given(RATES, CAPACITIES, st.integers(1, 200))
def test_the_limit_is_used(rate: float, capacity: float, count: int) -> None:
    """If the bucket gave less than its rate, a campaign would take longer than the provider asks for."""
    times = permits(rate, capacity, [(TAKE, 0.0)] * count)
    assert times[-1] - 1000 == pytest.approx(count / rate)


def test_it_starts_empty_and_fills_up() -> None:
    """If a restarted worker had a full bucket, a crash loop would send a burst at every start."""
    bucket = TokenBucket(10, 3, 0.0)
    assert bucket.reserve(0.0) == pytest.approx(0.1)
    assert [bucket.reserve(60.0) for _ in range(4)] == pytest.approx([0, 0, 0, 0.1])


def test_slowing_down() -> None:
    """If an account that was told to slow down went on, each further request would be refused too."""
    bucket = TokenBucket(10, 5, 0.0)
    bucket.slow_down(60.0, 2.0)
    assert bucket.wait(61.0) == pytest.approx(1.0)
    assert [bucket.reserve(61.0) for _ in range(3)] == pytest.approx([1.0, 1.1, 1.2])


def test_a_shorter_slow_down_does_not_undo_a_longer_one() -> None:
    """If it did, the second of two refusals would let the account run into a third."""
    bucket = TokenBucket(10, 5, 0.0)
    bucket.slow_down(0.0, 10.0)
    bucket.slow_down(0.0, 1.0)
    assert bucket.wait(0.0) == pytest.approx(10.0)


@pytest.mark.parametrize(("rate", "capacity"), [(0, 1), (-1, 1), (1, 0.5)])
def test_senseless_limits_are_refused(rate: float, capacity: float) -> None:
    """If a rate of 0 were taken, its account would wait for ever."""
    with pytest.raises(ValueError, match="rate above 0"):
        TokenBucket(rate, capacity, 0.0)


def account(name: str, rate: float = 80) -> Account:
    limits = AccountLimits(messages_per_second=rate)
    return Account(provider="cloud", id=name, token=SecretStr("t"), limits=limits)


def test_accounts_do_not_wait_for_each_other() -> None:
    """If accounts shared a bucket, one tenant's campaign would starve all others."""
    limiter = Limiter()
    for _ in range(1000):
        limiter.reserve(account("busy"), 0.0)
    assert limiter.wait(account("quiet"), 0.0) == pytest.approx(1 / 80)
    limiter.slow_down(account("busy"), 0.0, 60)
    assert limiter.reserve(account("busy"), 0.0) >= 60
    assert limiter.reserve(account("quiet"), 0.0) == pytest.approx(1 / 80)


@pytest.mark.parametrize(
    ("provider", "rate"), [("cloud", 80), ("wasender", 4), ("wawp", 0.3), ("waha", 1), ("pigeon", 1)]
)
def test_an_account_that_says_nothing_is_kept_to_what_its_provider_allows_everybody(provider: str, rate: float) -> None:
    """A gateway's session without a limit in the tenants file would send like a Cloud API number, and be banned."""
    silent = Account(provider=provider, id="a", token=SecretStr("t"))
    assert Limiter().wait(silent, 0.0) == pytest.approx(1 / rate)


def test_an_accounts_burst_is_a_quarter_of_a_second() -> None:
    """If the burst were the whole second, requests bunched by the network would be over the provider's limit."""
    limiter = Limiter()
    limiter.wait(account("a"), 0.0)
    limiter.wait(account("slow", rate=0.5), 0.0)
    waits = [limiter.reserve(account("a"), 60.0) for _ in range(21)]
    assert waits == pytest.approx([0.0] * 20 + [1 / 80])
    assert [limiter.reserve(account("slow", rate=0.5), 60.0) for _ in range(2)] == pytest.approx([0, 2])


ACCOUNT = Account(provider="cloud", id="a", token=SecretStr("t"))


class Worker:
    """A messenger that has an account now and then, and sends whatever it may while it has it."""

    def __init__(self) -> None:
        self.limiter = Limiter()
        self._next: float | None = None

    def revoked(self) -> None:
        self.limiter.clear()
        self._next = None

    def sends(self, now: float) -> bool:
        """Whether it sends at `now`, as soon as its permit is valid."""
        if self._next is None:
            self._next = now + self.limiter.reserve(ACCOUNT, now)
        if self._next > now:
            return False
        self._next = None
        return True


@example([0.3] * 20)
@given(st.lists(st.floats(0.02, 3), min_size=1, max_size=30))
def test_an_account_that_moves_between_workers_stays_under_the_providers_limit(stays: list[float]) -> None:
    """Each move would give a number another burst: a flapping worker sent 160 in a second where 80 are allowed."""
    workers, provider, now, violations = [Worker(), Worker()], LimitEnforcer(SandboxLimits()), 1000.0, 0
    for turn, stay in enumerate(stays):
        worker, until = workers[turn % 2], now + stay
        while now < until:
            while worker.sends(now):
                violations += provider.check("cloud", ACCOUNT.id, "15550001111", now) is not None
            now += 0.001
        worker.revoked()
    assert violations == 0
