"""Retry policies: how long, how often, and for which codes."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.backoff import MAX_ASKED_JITTER, TRANSPORT, RetryPolicy, next_wait
from pipeline.messenger import code_policy, retry_policy, slows_account
from pipeline.providers import CLOUD, PROVIDERS
from pipeline.providers.base import CodePolicies, Provider
from pipeline.providers.cloud.error_codes import NUMBER_LIMIT, PAIR_LIMIT, TABLE
from pipeline.providers.code_policy import UNREACHED, Action
from pipeline.topics.events import error_codes

WITHOUT_TABLE = cast(Provider, object())
"""A provider of somebody's own that has no table of error codes."""


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


def test_who_was_asked_to_wait_does_not_come_back_with_all_others() -> None:
    """If all accounts of an app came back in one instant, the app would be over its limit again."""
    policy = RetryPolicy(initial_delay=1, jitter=0.25)
    assert next_wait(policy, 1, 8.0, 1.0) == 10.0
    assert next_wait(policy, 1, 3600.0, 1.0) == 3600.0 + MAX_ASKED_JITTER


def test_metas_advice_for_a_pair() -> None:
    """If the wait for a pair were not 4 to the x, as Meta asks, the pair would stay blocked."""
    policy = code_policy(CLOUD, PAIR_LIMIT)
    assert [policy.retry.delay(attempt, 0) for attempt in range(1, 5)] == [1, 4, 16, 64]
    assert policy.retry.max_attempts is None
    assert (policy.pauses_pair, policy.pauses_account) == (True, False)


@pytest.mark.parametrize("code", [100, 131047, 131026, 190, 131049, 131048, 999_999])
def test_permanent_codes(code: int) -> None:
    """If a refusal for good were tried again, it would be refused again, and count against the number's quality."""
    assert TABLE.policy(code).action is Action.PERMANENT


def test_the_lines_for_unknown_codes() -> None:
    """If a code of tomorrow had no policy, its command would fail the messenger instead of failing for itself."""
    assert TABLE.policy(999_999) is TABLE.other
    assert TABLE.transient
    assert TABLE.transient.retry == TABLE.other.retry, "the messenger finds its delays by the code alone"


def test_handlers_and_messenger_agree() -> None:
    """If an event said that an error may pass and the messenger gave it up at once, handlers would wait for nothing."""
    http = {429, 500, 502, 503, 504}
    retried = {code for code, policy in TABLE.codes.items() if policy.action is Action.RETRY}
    assert retried == error_codes.RETRYABLE - http
    assert {code for code, policy in TABLE.codes.items() if policy.alerts} == {
        *error_codes.CRITICAL,
        *range(200, 300),
    }
    limits = {code for code, policy in TABLE.codes.items() if policy.lowers_limit or policy.pauses_pair}
    assert limits <= error_codes.RATE_LIMITS


def test_the_policy_of_an_attempt() -> None:
    """If a provider without rules or a refused connection had no policy, the messenger would fail at the retry."""
    assert code_policy(CLOUD, 131057) is TABLE.codes[131057]
    assert retry_policy(CLOUD, 131057) is TABLE.codes[131057].retry
    assert code_policy(CLOUD, None) is code_policy(WITHOUT_TABLE, 131057) is UNREACHED
    assert UNREACHED.retry is TRANSPORT
    assert TRANSPORT.max_attempts is None


def test_only_what_is_true_of_the_whole_number_stops_it() -> None:
    """If one busy pair or one missing permission stopped the whole number, all of its users would wait for one."""
    stopping = {code for code, policy in TABLE.codes.items() if policy.pauses_account}
    assert stopping == {0, 4, 190, 368, 613, 80007, 130429, 131031, 131048, 131057, 133010, 2494100}
    assert slows_account(CLOUD, NUMBER_LIMIT)
    assert not slows_account(CLOUD, PAIR_LIMIT)
    assert not slows_account(CLOUD, None)
    assert not slows_account(WITHOUT_TABLE, NUMBER_LIMIT)


def test_a_rest_lowers_no_limit() -> None:
    """If a minute of maintenance counted as sending too fast, the number would be slow for hours after its upgrade."""
    lowering = {code for code, policy in TABLE.codes.items() if policy.lowers_limit}
    assert lowering == {4, 613, 80007, NUMBER_LIMIT}
    for provider in PROVIDERS.values():
        assert code_policy(provider, 429).lowers_limit


DOCUMENTED = {
    "cloud": {
        *(130429, 131056, 80007, 4, 613, 1, 2, 131000, 131016, 135000, 131057, 131052, 131053, 132069, 133016, 131048),
        *(131049, 131064, 368, 131031, 130497, 0, 3, 10, 190, *range(200, 300), 131005, 131047, 131026, 131050, 131063),
        *(130472, 100, 33, 131008, 131009, 131051, 131055, 132000, 132001, 132005, 132007, 132008, 132012, 132015),
        *(132016, 132068, 131042, 131044, 131045, 131037, 131021, 131030, 131062, 137000),
        *(139000, 139001, 139002, 139003, 139004, 139100, 139101, 139102, 139103),
        *(138000, 138001, 138002, 138003, 138004, 138005, 138006, 138007, 138009, 138012, 138013, 138018),
        *(131020, 131041, 131059, 131201, 131202, 131204, 131207, 131208, 131209, 131210, 131211, 131212, 131213),
        *(131214, 131215, 2388019, 2388040, 2388047, 2388073, 2388293, 2388299),
        *(147001, 147002, 147003, 147004, 147005, 2388012, 2388091, 2388093, 2388103, 2494100),
        *(2494164, 2494165, 2494166, 2494167, 2494168, 2494176, 2494177, 2494179),
    },
    "wasender": {400, 401, 404, 408, 422, 429, 500, 502, 503, 504},
    "wawp": {400, 401, 403, 404, 422, 429, 500, 502, 503, 504},
    "waha": {400, 401, 404, 422, 429, 500, 502, 503, 504},
}
"""The codes that the providers' documents and SDKs name."""


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_documented_code_has_a_line(provider: str) -> None:
    """If a code had none, somebody who is woken by it would find nothing, and it would be given up by default."""
    found = PROVIDERS[provider]
    assert isinstance(found, CodePolicies)
    assert DOCUMENTED[provider] - found.codes.codes.keys() == set()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_line_says_what_to_do_and_where_that_comes_from(provider: str) -> None:
    """If an alert had no advice, whoever is woken at night would begin with a search."""
    found = PROVIDERS[provider]
    assert isinstance(found, CodePolicies)
    for policy in (*found.codes.codes.values(), *found.codes.statuses.values(), found.codes.other):
        assert policy.meaning and policy.advice and policy.source.name
        assert policy.source.url.startswith("https://") or ".md#" in policy.source.url
        assert not policy.pauses_pair or policy.action is Action.RETRY
        assert not policy.lowers_limit or policy.pauses_account
