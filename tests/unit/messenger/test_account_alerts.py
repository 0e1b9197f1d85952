"""The operator is told about codes that only a person can end, and not told about anything else."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.messenger import account_alerts
from pipeline.messenger.account_alerts import QUIET, AccountAlerts
from pipeline.metrics import ACCOUNTS_NEEDING_ATTENTION
from pipeline.providers.cloud.error_codes import NUMBER_LIMIT, TABLE


class Watch:
    """Alerts under a clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.alerts = AccountAlerts(lambda: self.now)

    def note(self, account: str, code: int, tenant: str = "acme") -> None:
        self.alerts.note(tenant, "cloud", account, code, TABLE.policy(code))


def logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [line for line in lines if line["event"] == "account_needs_attention"]


def exposed(code: int) -> float:
    (described,) = ACCOUNTS_NEEDING_ATTENTION.labels("messenger", "cloud", str(code)).collect()
    return described.samples[0].value


def test_a_line_says_whose_account_it_is_and_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever is woken would not know whom to call, or look for a code's meaning at night."""
    Watch().note("106", 190)
    (line,) = logged(caplog)
    assert {name: line[name] for name in ("level", "tenant", "provider", "account", "code")} == {
        "level": "error",
        "tenant": "acme",
        "provider": "cloud",
        "account": "106",
        "code": 190,
    }
    assert line["detail"] == f"{TABLE.policy(190).meaning}: {TABLE.policy(190).advice}"
    assert "\n" not in line["detail"]


def test_one_line_an_hour_for_each_account_and_code(caplog: pytest.LogCaptureFixture) -> None:
    """A campaign with an expired token would write a million lines, and hide the banned number beside it."""
    watch = Watch()
    for _ in range(1_000):
        watch.note("106", 190)
    watch.note("106", 131042)
    watch.note("107", 190)
    assert [(line["account"], line["code"]) for line in logged(caplog)] == [("106", 190), ("106", 131042), ("107", 190)]
    watch.now += QUIET - 1
    watch.note("106", 190)
    assert len(logged(caplog)) == 3
    watch.now += 1
    watch.note("106", 190)
    assert len(logged(caplog)) == 4


def test_codes_that_pass_by_themselves_wake_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """An operator who is woken by every busy campaign would not read the line about the ban."""
    watch = Watch()
    for code in (NUMBER_LIMIT, 131000, 131026, 100, 987_654):
        watch.note("106", code)
    assert logged(caplog) == []


def test_the_gauge_counts_accounts_while_the_code_comes() -> None:
    """An alert would end while the token is still expired, or stay for ever after it was renewed."""
    watch = Watch()
    watch.note("106", 190)
    watch.note("107", 190)
    watch.note("107", 190)
    watch.note("107", 368)
    assert (exposed(190), exposed(368)) == (2, 1)
    watch.now += QUIET / 2
    watch.note("106", 190)
    watch.now += QUIET / 2
    assert (exposed(190), exposed(368)) == (1, 0)
    watch.now += QUIET
    assert exposed(190) == 0


def test_what_is_remembered_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of a hundred thousand accounts would keep each that ever had a problem."""
    monkeypatch.setattr(account_alerts, "MAX_CODES", 3)
    watch = Watch()
    for number in range(10):
        watch.note(str(number), 190)
    watch.note("7", 190)
    watch.note("10", 190)
    assert watch.alerts.count("cloud", 190) == 3
