"""Retry policies: how long, how often, and for which codes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.backoff import TRANSPORT, RetryPolicy, next_wait
from pipeline.messenger.policies import retry_policy, slows_account
from pipeline.providers import CLOUD
from pipeline.providers.cloud import error_codes as meta_codes
from pipeline.topics.events import error_codes
from tests.support.pigeon import Pigeon


def test_waits_grow_up_to_a_limit() -> None:
    """If waits did not grow, a provider in trouble would be kept in trouble; without a limit nobody would come back."""
    policy = RetryPolicy(max_attempts=None, initial_delay=1, factor=2, max_delay=60, jitter=0)
    assert [policy.delay(attempt, 0.5) for attempt in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert policy.delay(10_000, 0.5) == 60


@given(st.integers(1, 1000), st.floats(0, 1))
def test_jitter_only_adds(attempt: int, luck: float) -> None:
    """If jitter shortened a wait, the shortest of a crowd would come before the provider is ready."""
    policy = RetryPolicy(jitter=0.25)
    steady = RetryPolicy(jitter=0).delay(attempt, 0)
    assert steady <= policy.delay(attempt, luck) <= steady * 1.25


def test_attempts_end() -> None:
    """If a send that always fails were tried for ever, everything behind it for that user would wait for ever."""
    policy = RetryPolicy(max_attempts=3, jitter=0)
    assert [next_wait(policy, attempt, 0, 0.5) for attempt in (1, 2, 3)] == [1, 2, None]
    assert next_wait(TRANSPORT, 10_000, 0, 0) == 60


def test_what_the_provider_asks_for_is_given() -> None:
    """If `Retry-After` were undercut, the account would be throttled for longer."""
    assert next_wait(RetryPolicy(), 1, 30.0, 0.0) == 30.0
    assert next_wait(RetryPolicy(initial_delay=60, max_delay=60, jitter=0), 1, 30.0, 0.0) == 60.0


def test_metas_advice_for_a_pair() -> None:
    """If the wait for a pair were not 4 to the x, as Meta asks, the pair would stay blocked."""
    policy = meta_codes.retry_policy(meta_codes.PAIR_LIMIT)
    assert [policy.delay(attempt, 0) for attempt in range(1, 5)] == [1, 4, 16, 64]
    assert policy.max_attempts is None


@pytest.mark.parametrize("code", [100, 131047, 131026, 190, 131049, 131048, 999_999])
def test_permanent_codes(code: int) -> None:
    """If a refusal for good were tried again, it would be refused again, and count against the number's quality."""
    assert not meta_codes.is_retryable(code)


def test_metas_own_word_for_new_codes() -> None:
    """If a code of tomorrow that Meta calls transient were final, messages would be lost until the next release."""
    assert meta_codes.is_retryable(999_999, is_transient=True)
    assert meta_codes.retry_policy(999_999).max_attempts == 5


def test_handlers_and_messenger_agree() -> None:
    """If an event said that an error may pass and the messenger gave it up at once, handlers would wait for nothing."""
    http = {429, 500, 502, 503, 504}
    assert frozenset(meta_codes.CODES) == error_codes.RETRYABLE - http


def test_the_policy_of_an_attempt() -> None:
    """If a provider without rules or a refused connection had no policy, the messenger would fail at the retry."""
    assert retry_policy(CLOUD, 131057) is meta_codes.CODES[131057]
    assert retry_policy(CLOUD, None) is TRANSPORT
    assert retry_policy(Pigeon(), 131057) is TRANSPORT
    assert TRANSPORT.max_attempts is None


def test_only_the_numbers_limit_stops_the_number() -> None:
    """If one busy pair stopped the whole number, all of its users would wait for one."""
    assert slows_account(CLOUD, meta_codes.NUMBER_LIMIT)
    assert not slows_account(CLOUD, meta_codes.PAIR_LIMIT)
    assert not slows_account(CLOUD, None)
    assert not slows_account(Pigeon(), meta_codes.NUMBER_LIMIT)
