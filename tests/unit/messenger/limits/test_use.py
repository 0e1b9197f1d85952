"""The messages per second that an account has used: counted without a list of them."""

from __future__ import annotations

from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.messenger.limits.learnt import LearntRate
from pipeline.messenger.limits.use import SPAN, RecentUse

NOW = 1e9


def used(times: list[float], at: float) -> float:
    use = RecentUse(NOW)
    for each in times:
        use.add(each)
    return use.per_second(at)


@pytest.mark.parametrize("seconds", [5, 59, 60, 61, 119.9, 120, 121, 400])
def test_a_steady_account_uses_its_rate_from_the_first_seconds_on(seconds: float) -> None:
    """An account at its limit would look as if it left half of its allowance unused, each time a minute begins."""
    times = [NOW + n / 10 for n in range(int(seconds * 10))]
    assert used(times, NOW + seconds) == pytest.approx(10, rel=0.02)


@given(st.lists(st.floats(0, 500), max_size=200), st.floats(0, 500))
def test_it_never_says_more_than_two_minutes_held_nor_anything_of_what_is_older(times: list[float], at: float) -> None:
    """A campaign of an hour ago would still count as use."""
    times = sorted(NOW + each for each in times if each <= at)
    now = NOW + at
    recent = len(times) - bisect_right(times, now - 2 * SPAN)
    found = used(times, now)
    assert 0 <= found * min(SPAN, max(1.0, at)) <= recent + 1e-6


def test_an_account_that_rests_uses_nothing_after_two_minutes() -> None:
    """An idle number would look busy for ever."""
    times = [NOW + n / 10 for n in range(600)]
    assert used(times, NOW + 60) == pytest.approx(10)
    assert used(times, NOW + 90) == pytest.approx(5)
    assert used(times, NOW + 120) == used(times, NOW + 1e6) == 0


def test_to_look_changes_nothing() -> None:
    """Two scrapes would see two numbers of one moment."""
    use = RecentUse(NOW)
    use.add(NOW + 1, 600)
    assert [use.per_second(NOW + 90), use.per_second(NOW + 60)] == [5, 10]
    assert use.per_second(NOW + 90) == 5


@pytest.mark.parametrize("throttles", [1, 3, 9])
def test_a_lowered_rate_is_the_configured_one_when_its_recovery_is_over(throttles: int) -> None:
    """An operator would be told a time at which the number is still slow, or wait longer than needed."""
    rate = LearntRate(80)
    assert rate.recovery(NOW) == 0
    for n in range(throttles):
        rate.throttled(NOW + 2 * n, 5)
    now = NOW + 2 * throttles
    seconds = rate.recovery(now)
    assert 0 < seconds < 110
    assert rate.rate(now + seconds - 1) < 80
    assert rate.rate(now + seconds + 1e-6) == pytest.approx(80)
    assert rate.recovery(now + seconds + 1) == 0
