"""The sandbox's limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.sandbox.limits import LimitEnforcer, PairDebt, RateBucket, SandboxLimits

NUMBER = ("cloud", "106540352242922")
UNLIMITED = SandboxLimits(messages_per_second=None)


def taken(bucket: RateBucket, count: int, now: float) -> int:
    return sum(bucket.accept(now) for _ in range(count))


def test_a_bucket_gives_its_capacity_at_once_and_no_more() -> None:
    """A number that bursts beyond its limit would pass the sandbox and be throttled by the real provider."""
    assert taken(RateBucket(80, 80, 0.0), 200, 0.0) == 80


def test_a_bucket_refills_with_time_up_to_its_capacity() -> None:
    """A sender that waited would be refused, or one that rested for a day could flood the provider."""
    bucket = RateBucket(80, 80, 0.0)
    assert taken(bucket, 80, 0.0) == 80
    assert taken(bucket, 80, 0.5) == 40
    assert taken(bucket, 200, 86_400.0) == 80


@given(st.floats(0.5, 1000), st.integers(1, 400))
def test_a_sender_exactly_at_the_rate_is_never_refused(rate: float, messages: int) -> None:
    """A messenger that keeps to the limit to the letter would be reported for rounding errors."""
    bucket = RateBucket(rate, 1, 0.0)
    assert all(bucket.accept(step / rate) for step in range(messages))


def test_twenty_at_once_close_a_pair_for_two_minutes() -> None:
    """Meta's own example of a burst would not be what senders are tested against."""
    debt = PairDebt()
    for _ in range(20):
        assert debt.allows(0.0)
        debt.add(0.0)
    assert not debt.allows(6.0)
    assert not debt.allows(119.9)
    assert debt.allows(120.0)


def test_a_pair_takes_45_at_once_and_not_46() -> None:
    """A sender's burst to one person would be tested against another figure than the provider's."""
    debt = PairDebt()
    for _ in range(45):
        debt.add(0.0)
    assert not debt.allows(1.0)


@given(st.lists(st.floats(0, 30), min_size=1, max_size=300))
def test_what_the_pair_limit_lets_through_no_reading_forbids(gaps: list[float]) -> None:
    """A sender that passes the sandbox could still be refused under the other reading of the pair limit."""
    debt, bucket, now = PairDebt(), RateBucket(1 / PairDebt.INTERVAL, PairDebt.BURST, 0.0), 0.0
    for gap in gaps:
        now += gap
        if debt.allows(now):
            debt.add(now)
            assert bucket.accept(now)


def test_each_number_has_a_bucket_of_its_own() -> None:
    """One busy tenant's number would use up another's limit."""
    limiter = LimitEnforcer(SandboxLimits(messages_per_second=1))
    assert limiter.check("cloud", "1", "15550001111", 0.0) is None
    assert limiter.check("cloud", "1", "15550001111", 0.0) == "messages_per_second"
    assert limiter.check("cloud", "2", "15550001111", 0.0) is None


def test_the_pair_limit_is_off_unless_asked_for() -> None:
    """Loads on few recipients would fail in a sandbox that nobody told to limit pairs."""
    limiter = LimitEnforcer(UNLIMITED)
    assert all(limiter.check(*NUMBER, "15550001111", 0.0) is None for _ in range(100))


def test_a_closed_pair_leaves_other_recipients_and_the_bucket_alone() -> None:
    """A flood to one person would be counted against the messages to everybody else."""
    limiter = LimitEnforcer(SandboxLimits(messages_per_second=46, pair="strict"))
    answers = [limiter.check(*NUMBER, "15550001111", 0.0) for _ in range(100)]
    assert answers == [None] * 45 + ["pair"] * 55
    assert limiter.check(*NUMBER, "15550002222", 0.0) is None


def test_pairs_that_owe_nothing_are_forgotten() -> None:
    """A long load on many recipients would fill the sandbox's memory."""
    limiter = LimitEnforcer(SandboxLimits(messages_per_second=None, pair="strict"))
    for person in range(250_000):
        limiter.check(*NUMBER, str(person), person * 1.0)
    assert len(limiter._pairs) <= 100_000


def test_new_limits_hold_at_once() -> None:
    """A test that changes the limits would still meet the bucket of the old ones."""
    limiter = LimitEnforcer(SandboxLimits(messages_per_second=1))
    limiter.check(*NUMBER, "15550001111", 0.0)
    limiter.configure(SandboxLimits(messages_per_second=2))
    assert [limiter.check(*NUMBER, "1", 0.0) for _ in range(3)] == [None, None, "messages_per_second"]


def test_a_limit_below_one_a_second_still_lets_messages_through() -> None:
    """A very slow number would never be allowed its first message."""
    assert SandboxLimits(messages_per_second=0.1).capacity == 1


@pytest.mark.parametrize("wrong", [{"messages_per_second": 0}, {"burst": 0}, {"pair": "loose"}, {"per_minute": 3}])
def test_limits_that_mean_nothing_are_refused(wrong: dict[str, object]) -> None:
    """A misspelt limit would silently leave the sandbox without it."""
    with pytest.raises(ValidationError):
        SandboxLimits.model_validate(wrong)
