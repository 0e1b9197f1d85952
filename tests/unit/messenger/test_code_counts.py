"""Error codes are counted where an operator looks for them, and never under a name that a provider made up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import Counter

from pipeline.messenger import code_counts
from pipeline.messenger.code_counts import CodeCounts
from pipeline.metrics import ANSWER_CODES, FAILED_OUTCOMES, THROTTLES
from pipeline.providers import PROVIDERS
from pipeline.providers.cloud.error_codes import TABLE
from pipeline.tenants import Account
from pipeline.topics.outcomes import Outcome, OutcomeStatus
from tests.support.controls import tenants

KNOWN = tenants(80.0, acme=["1", "2", "3"])


def outcome(status: OutcomeStatus = OutcomeStatus.FAILED, account: str = "1", **fields: Any) -> Outcome:
    about = {"command_id": "c", "tenant_id": "acme", "provider": "cloud", "account": account, "recipient": "49"}
    return Outcome(status=status, at=datetime.now(UTC), **{**about, **fields})


def account(name: str) -> Account:
    found = KNOWN.account("cloud", name)
    assert found is not None
    return found


def value(counter: Counter, **labels: str) -> float | None:
    """The value of a series; None: there is none."""
    found = (each for metric in counter.collect() for each in metric.samples)
    return next((each.value for each in found if each.labels == labels and each.name.endswith("_total")), None)


def test_failed_outcomes_are_counted_by_code_for_all_and_for_each_account() -> None:
    """Nobody could see which code a campaign fails with, or whose campaign it is."""
    codes, before = CodeCounts(PROVIDERS), value(FAILED_OUTCOMES, provider="cloud", code="131026") or 0.0
    found = [outcome(error_code=131026), outcome(error_code=131026, by_status=True), outcome(error_code=None)]
    assert codes.count(found) is found
    codes.count([outcome(error_code=190, account="2")])
    assert value(FAILED_OUTCOMES, provider="cloud", code="131026") == before + 2
    assert codes.describe(account("1")) == {"failed_outcomes": {"131026": 2, "none": 1}}
    assert codes.describe(account("2")) == {"failed_outcomes": {"190": 1}}
    assert codes.describe(account("3")) == {}
    codes.reset()
    assert codes.describe(account("1")) == {}


@pytest.mark.parametrize("status", [each for each in OutcomeStatus if each is not OutcomeStatus.FAILED])
def test_what_did_not_fail_or_was_refused_before_the_call_is_no_failure(status: OutcomeStatus) -> None:
    """Every send would be counted twice, and a refusal as an error of the provider."""
    codes = CodeCounts(PROVIDERS)
    codes.count([outcome(status), outcome(reason="opted_out")])
    assert codes.describe(account("1")) == {}


def test_a_code_without_a_row_shares_one_series() -> None:
    """A proxy that answers with a number of its own each time would fill Prometheus."""
    codes, before = CodeCounts(PROVIDERS), value(ANSWER_CODES, provider="cloud", code="other") or 0.0
    for code in range(900_000, 900_050):
        codes.answered("acme", "cloud", code, TABLE.policy(code))
        codes.count([outcome(error_code=code)])
    assert value(ANSWER_CODES, provider="cloud", code="other") == before + 50
    assert value(ANSWER_CODES, provider="cloud", code="900000") is None
    assert codes.describe(account("1")) == {"failed_outcomes": {"other": 50}}


def test_the_first_unknown_code_is_an_increase() -> None:
    """An alert on the increase of a series that begins with 1 does not see it."""
    CodeCounts(PROVIDERS)
    for name in PROVIDERS:
        assert value(ANSWER_CODES, provider=name, code="other") is not None


def test_throttles_are_those_codes_that_lower_the_limit() -> None:
    """A tenant whose token has expired would be told to send slower."""
    codes, before = CodeCounts(PROVIDERS), value(THROTTLES, tenant="acme", provider="cloud") or 0.0
    for code in (130429, 190, 131026, 80007):
        codes.answered("acme", "cloud", code, TABLE.policy(code))
    lowering = sum(TABLE.policy(code).lowers_limit for code in (130429, 190, 131026, 80007))
    assert lowering >= 1
    assert value(THROTTLES, tenant="acme", provider="cloud") == before + lowering


def test_what_is_remembered_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of fifty thousand accounts would keep each that ever failed; or forget the one that fails now."""
    monkeypatch.setattr(code_counts, "MAX_ACCOUNTS", 2)
    codes = CodeCounts(PROVIDERS)
    for name in ("1", "2", "1", "3"):
        codes.count([outcome(error_code=190, account=name)])
    assert [bool(codes.describe(account(name))) for name in ("1", "2", "3")] == [True, False, True]
