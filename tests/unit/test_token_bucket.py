"""Token buckets: never over the limit, and as fast as it allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.token_bucket import TokenBucket

RATES = st.floats(0.1, 1000)
CAPACITIES = st.floats(1, 100)
GAPS = st.lists(st.floats(0, 5) | st.just(0.0), min_size=1, max_size=100)
TINY = 1e-6


@given(RATES, CAPACITIES, GAPS, st.integers(0, 5))
def test_no_window_holds_too_many_and_none_less_than_it_could(
    rate: float, capacity: float, gaps: list[float], inbound: int
) -> None:
    """The provider would throttle the number, or a campaign would take longer than it asks for."""
    bucket, now, spent = TokenBucket(rate, capacity, 0.0), 0.0, list[float]()
    for number, gap in enumerate(gaps):
        now += gap
        if number % 7 == 6:
            spent += [now] * inbound
            bucket.charge(now, inbound, 1e9)
        now += bucket.wait(now)
        bucket.take(now)
        spent.append(now)
    if not inbound:
        for first, start in enumerate(spent):
            for last in range(first, len(spent)):
                assert last - first + 1 <= capacity + rate * (spent[last] - start + TINY) + TINY
    assert now <= sum(gaps) + len(spent) / rate + TINY


@given(RATES, CAPACITIES, st.integers(0, 50))
def test_the_wait_behind_others_is_that_of_the_last_one(rate: float, capacity: float, others: int) -> None:
    """A command would wait in memory for much longer than it was told, or leave it without need."""
    bucket, now = TokenBucket(rate, capacity, 0.0), 100.0
    expected = bucket.wait_behind(now, others)
    waited = 0.0
    for _ in range(others + 1):
        waited += bucket.wait(now + waited)
        bucket.take(now + waited)
    assert waited == pytest.approx(expected, abs=TINY)


def test_a_pause_ends_without_a_burst_and_a_shorter_one_does_not_undo_it() -> None:
    """The second of two refusals would let the account run into a third."""
    bucket = TokenBucket(10, 5, 0.0)
    bucket.pause(60.0, 10.0)
    bucket.pause(60.0, 1.0)
    assert bucket.wait(61.0) == pytest.approx(9.0)
    now, waits = 70.0, list[float]()
    for _ in range(3):
        waits.append(bucket.wait(now))
        now += waits[-1]
        bucket.take(now)
    assert waits == pytest.approx([0.0, 0.1, 0.1])


def test_what_can_not_wait_stops_others_for_no_longer_than_it_says() -> None:
    """A flood of inbound messages would silence the number for as long as the flood is large."""
    bucket = TokenBucket(10, 5, 0.0)
    bucket.charge(60.0, 100_000, 1.0)
    assert bucket.wait(60.0) == pytest.approx(1.0)


def test_another_limit_keeps_what_was_spent() -> None:
    """Each change of a limit would give the account another burst."""
    bucket = TokenBucket(10, 5, 0.0)
    for _ in range(5):
        bucket.take(60.0)
    assert bucket.wait(60.0) == pytest.approx(0.1)
    bucket.resize(60.0, 0.1, 1)
    assert bucket.wait(60.0) == pytest.approx(50)
    bucket.pause(60.0, 7.0)
    bucket.resize(60.0, 10, 5)
    assert bucket.wait(60.0) == pytest.approx(7.0, abs=0.1), "a pause stays as long"
    bucket.resize(67.0, 20, 5)
    assert bucket.wait(67.0) == pytest.approx(0.05, abs=0.06)


@pytest.mark.parametrize(("rate", "capacity"), [(0, 1), (-1, 1), (1, 0.5)])
def test_senseless_limits_are_refused(rate: float, capacity: float) -> None:
    """If a rate of 0 were taken, its account would wait for ever."""
    with pytest.raises(ValueError, match="rate above 0"):
        TokenBucket(rate, capacity, 0.0)
