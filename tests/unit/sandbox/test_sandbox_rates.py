"""The counters of the sandbox's limits, each against the limit's own words: keep all times, count per window."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.sandbox.limits.pairs import Pairs
from pipeline.sandbox.limits.rates import PAIR_BURST, PAIR_INTERVAL, PairDebt, RateBucket, SlidingWindow
from pipeline.sandbox.limits.settings import SandboxLimits

TICK = 1 / 64
"""Times and rates are such fractions, so that both sides calculate without rounding."""

gaps = st.lists(st.integers(0, 40).map(lambda ticks: ticks * TICK), min_size=1, max_size=120)
jitters = st.sampled_from([0.0, 8 * TICK])


def taken(bucket: RateBucket, count: int, now: float) -> int:
    return sum(accepts(bucket, now) for _ in range(count))


def accepts(counter: RateBucket | PairDebt | SlidingWindow, now: float) -> bool:
    allowed = counter.allows(now)
    if allowed:
        counter.take(now)
    return allowed


def test_a_bucket_gives_its_capacity_at_once_and_no_more() -> None:
    """A number that bursts beyond its limit would pass the sandbox and be throttled by the real provider."""
    assert taken(RateBucket(80, 80, 0.0), 200, 0.0) == 80


def test_a_bucket_refills_with_time_up_to_its_capacity() -> None:
    """A sender that waited would be refused, or one that rested for a day could flood the provider."""
    bucket = RateBucket(80, 80, 0.0)
    assert taken(bucket, 80, 0.0) == 80
    assert taken(bucket, 80, 0.5) == 40
    assert taken(bucket, 200, 86_400.0) == 80


@given(st.floats(0.5, 1000), st.integers(1, 400), st.floats(0, 1e7))
def test_a_sender_exactly_at_the_rate_is_never_refused(rate: float, messages: int, start: float) -> None:
    """A messenger that keeps to the limit to the letter would be reported for rounding errors."""
    bucket = RateBucket(rate, 1, start)
    assert all(accepts(bucket, start + step / rate) for step in range(messages))


def fits(times: Sequence[float], now: float, rate: float, capacity: float) -> bool:
    """True if one more message at `now` leaves every window that ends now at `rate * w + capacity` or less."""
    counts = ((now - start, sum(time >= start for time in times) + 1) for start in (*times, now))
    return all(count <= rate * length + capacity for length, count in counts)


@given(
    gaps, st.lists(st.integers(0, 3), min_size=120, max_size=120), st.sampled_from([0.5, 1, 4, 16]), st.integers(1, 9)
)
def test_no_window_of_a_number_holds_more_than_its_rate_and_its_burst(
    steps: list[float], inbound: list[int], rate: float, capacity: int
) -> None:
    """A messenger could exceed the throughput in some window and be told that it did not, or the other way round."""
    bucket, times, now = RateBucket(rate, capacity, 0.0), list[float](), 0.0
    for gap, received in zip(steps, inbound, strict=False):
        now += gap
        bucket.take(now, received)
        times += [now] * received
        allowed = accepts(bucket, now)
        assert allowed == fits(times, now, rate, capacity)
        times += [now] * allowed


@example([0.0] * 46, 0.0)
@given(gaps, jitters)
def test_a_pair_as_a_bucket_holds_45_and_one_more_every_6_seconds(steps: list[float], jitter: float) -> None:
    """A messenger could send a person more than Meta takes, or be told that it did when it did not."""
    bucket, times, now = RateBucket(1 / PAIR_INTERVAL, PAIR_BURST, 0.0, jitter), list[float](), 0.0
    for gap in [step * 8 for step in steps]:
        now += gap
        allowed = accepts(bucket, now)
        assert allowed == any(fits(times, later, 1 / PAIR_INTERVAL, PAIR_BURST + 1e-9) for later in (now, now + jitter))
        times += [now] * allowed


def test_as_a_bucket_fifty_to_one_person_are_45_at_once_and_one_every_six_seconds() -> None:
    """Meta's burst would be cut short, and the rest of a conversation would come late or never."""
    bucket = RateBucket(1 / PAIR_INTERVAL, PAIR_BURST, 0.0, 0.1)
    assert taken(bucket, 50, 0.0) == 45
    assert [taken(bucket, 5, now) for now in (5.8, 6.0, 11.8, 12.0, 18.0, 24.0, 30.0)] == [0, 1, 0, 1, 1, 1, 1]


def test_twenty_at_once_close_a_pair_for_two_minutes() -> None:
    """Meta's own example of a burst would not be what senders are tested against."""
    debt = PairDebt()
    for _ in range(20):
        assert accepts(debt, 0.0)
    assert not debt.allows(6.0)
    assert not debt.allows(119.9)
    assert debt.allows(120.0)


def test_as_a_debt_the_46th_comes_after_270_seconds() -> None:
    """A sender's burst to one person would be tested against another figure than the provider's."""
    debt = PairDebt()
    assert [accepts(debt, 1.0) for _ in range(46)] == [True] * 45 + [False]
    assert not debt.allows(270.9)
    assert accepts(debt, 271.0)


@given(gaps, jitters)
def test_a_burst_is_paid_back_before_the_next_one(steps: list[float], jitter: float) -> None:
    """A sender would be let through before its debt is paid, or kept waiting when it is."""
    debt, bursts, now = PairDebt(jitter), list[list[float]](), 0.0
    for gap in [step * 8 for step in steps]:
        now += gap
        burst = bursts[-1] if bursts else [-1e9]
        opens = now < burst[0] + 6 and len(burst) < 45
        paid = burst[0] + 6 * len(burst)
        assert accepts(debt, now) == (opens or now >= paid - jitter)
        if opens:
            burst.append(now)
        elif now >= paid - jitter:
            bursts.append([max(now, paid)])


@given(st.lists(st.floats(0, 30), min_size=1, max_size=300), jitters)
def test_what_the_pair_limit_lets_through_no_reading_forbids(steps: list[float], jitter: float) -> None:
    """A sender that passes the sandbox could still be refused under the other reading of the pair limit."""
    debt, bucket, now = PairDebt(jitter), RateBucket(1 / PAIR_INTERVAL, PAIR_BURST, 0.0, jitter), 0.0
    for gap in steps:
        now += gap
        if accepts(debt, now):
            assert accepts(bucket, now)


@given(gaps, st.integers(1, 8), st.sampled_from([0.25, 1.0, 5.0]), jitters)
def test_no_window_of_a_plan_holds_more_than_its_messages(
    steps: list[float], limit: int, seconds: float, jitter: float
) -> None:
    """A messenger could exceed a plan across the turn of the minute, and nobody would see."""
    window, times, now = SlidingWindow(limit, seconds, jitter), list[float](), 0.0
    for gap in steps:
        now += gap
        due = next(
            at for at in (now, *(time + seconds for time in times)) if at >= now and room(times, at, limit, seconds)
        )
        assert window.remaining(now) == max(0, limit - inside(times, now, seconds))
        assert accepts(window, now) == (due - now <= jitter)
        times += [due] * (due - now <= jitter)


def inside(times: Sequence[float], now: float, seconds: float) -> int:
    return sum(time > now - seconds for time in times)


def room(times: Sequence[float], now: float, limit: int, seconds: float) -> bool:
    return inside(times, now, seconds) < limit


@pytest.mark.parametrize("seconds", [5.0, 60.0])
def test_messages_that_come_early_do_not_add_up(seconds: float) -> None:
    """A sender that is a little early would be so message after message, and be over the plan by 1 %."""
    window, debt = SlidingWindow(1, seconds, 0.1), PairDebt(0.1)
    assert [accepts(window, step * (seconds - 0.06)) for step in range(3)] == [True, True, False]
    assert [accepts(debt, at) for at in (0.0, 0.0, 11.94, 11.94, 23.88)] == [True] * 4 + [False]


def test_pairs_that_owe_nothing_are_forgotten() -> None:
    """A long load on many recipients would fill the sandbox's memory."""
    pairs, limits = Pairs(), SandboxLimits(pair="bucket")
    for person in range(250_000):
        pairs.get(("cloud", "1", str(person)), limits, person / 1000).take(person / 1000)
    assert pairs.counts()["total"] <= 100_000
    assert pairs.counts()["forgotten"] == 0


@pytest.mark.parametrize("reading", ["bucket", "debt"])
def test_no_pair_that_owes_is_forgotten_while_there_is_room(reading: str) -> None:
    """A sweep would wipe out a person's debt, and the next messages to them would pass."""
    pairs, limits = Pairs(cap=100), SandboxLimits.model_validate({"pair": reading})
    for _ in range(45):
        pairs.get(("cloud", "1", "debtor"), limits, 0.0).take(0.0)
    for step in range(500):
        pairs.get(("cloud", "1", str(step)), limits, step / 5).take(step / 5)
        before = max(0, step - 29)
        assert pairs.get(("cloud", "1", str(before)), limits, step / 5).settled_at() > step / 5
    assert pairs.counts()["forgotten"] == 0
    assert pairs.get(("cloud", "1", "debtor"), limits, 100.0).settled_at() > 200


def test_pairs_that_do_not_fit_are_forgotten_where_it_matters_least_and_counted() -> None:
    """A flood would fill the memory, or the judge would grow lenient and nobody would know."""
    pairs, limits = Pairs(cap=10), SandboxLimits(pair="debt")
    for person in range(11):
        for _ in range(person + 1):
            pairs.get(("cloud", "1", str(person)), limits, 0.0).take(0.0)
    assert pairs.counts() == {"total": 6, "forgotten": 5}
    assert pairs.get(("cloud", "1", "5"), limits, 0.0).settled_at() == 36.0
    assert pairs.get(("cloud", "1", "4"), limits, 0.0).allows(0.0)
