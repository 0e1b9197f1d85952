"""The simulation of limits: small scenes hold their bounds, and a limiter that is wrong breaks them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from typing import Any

import pytest

from bench.limits import benchmark
from bench.limits.backlog import Backlog, backlog
from bench.limits.campaigns import Campaigns, campaigns
from bench.limits.crashes import Crashes, crashes
from bench.limits.pair import AT_ONCE, Pair, pair
from bench.limits.scenes import Report, measured
from bench.limits.scheduler import Scheduled, scheduler
from bench.options import Options
from pipeline.errors import PipelineError
from pipeline.messenger import dispatch, spending
from pipeline.messenger.limits import quota
from pipeline.messenger.limits.account import AccountLimiter
from pipeline.messenger.limits.pairs import AccountPairs
from pipeline.messenger.limits.queue import Rank


@cache
def few_crashes() -> Crashes:
    return crashes(12, 2, 8.0, seed=4)


@cache
def few_queued() -> Backlog:
    return backlog(1_000, 5.0, drain=True)


@cache
def few_campaigns() -> Campaigns:
    return campaigns(2, 4.0)


@cache
def fifty(reading: str) -> Pair:
    return pair(reading)


@cache
def few_permits() -> Scheduled:
    return scheduler(10_000)


def test_numbers_that_share_a_messenger_use_their_allowance() -> None:
    """A campaign would take longer than its provider asks for, or its number be throttled, beside others above all."""
    found = few_campaigns()
    assert found.problems() == []
    assert len(found.used) == 2
    assert found == campaigns(2, 4.0), "the same seed, and something else came out"


def test_deaths_and_rebalances_break_no_limit_and_lose_nothing() -> None:
    """A number would be throttled after each restart of its worker, or a person get a message twice or never."""
    found = few_crashes()
    assert found.problems() == []
    assert (found.lives, found.violations, found.doubles, found.missing, found.untold) == (15, 0, 0, 0, 0)
    steady, wave, chats = 80 * 8 + 20 * 14, 2 * 150, 2 * 2 * 60
    assert found.accepted == steady + wave + chats + found.used_of_quota


def test_a_backlog_is_in_nobodys_way() -> None:
    """A campaign of one number would make answers wait, or another campaign of the same partition."""
    found = few_queued()
    assert found.problems() == []
    replies, campaign = 60 + 2 * 5, 80 * (5 + 1)
    assert (found.sent, found.missing, found.violations) == (1_000 + campaign + replies, 0, 0)


@pytest.mark.parametrize(("reading", "times"), [("bucket", [6, 12, 18, 24, 30]), ("debt", [270] * 5)])
def test_fifty_messages_to_one_person_are_never_refused(reading: str, times: list[float]) -> None:
    """A long answer in parts would be refused by the provider, or wait for minutes without need."""
    found = fifty(reading)
    assert found.problems() == []
    assert list(found.times[AT_ONCE:]) == pytest.approx(times, abs=1.0)


def test_permits_are_used_by_one_process_after_the_other() -> None:
    """A campaign of ten million would end days later, or break the limit with each restart."""
    found = few_permits()
    assert found.problems() == []
    assert (found.commands, found.violations, found.in_front) == (10_000, 0, 0)


def _start_full(limiter: AccountLimiter, now: float) -> None:
    """Forget what the process before has spent of the rate."""


def _forget_pair(pairs: AccountPairs, person: str, *_: Any) -> None:
    """Forget what the process before has sent to a person."""


def _empty_rows(self: quota.DailyQuota) -> dict[str, bytes]:
    return {}


def _play_crashes() -> list[str]:
    return crashes(12, 2, 8.0, seed=4).problems()


def _play_backlog() -> list[str]:
    return backlog(1_000, 5.0).problems()


MUTANTS: dict[str, tuple[Callable[[], list[str]], object, str, Any, str]] = {
    "the burst is twice as large": (_play_crashes, spending, "BURST_SECONDS", 0.5, "messages_per_second"),
    "the rate is not restored": (_play_crashes, AccountLimiter, "_restore_rate", _start_full, "messages_per_second"),
    "pairs are not restored": (_play_crashes, AccountPairs, "restore", _forget_pair, "pair"),
    "the quota is not saved": (_play_crashes, quota.DailyQuota, "rows", _empty_rows, "messages_per_day"),
    "priority is ignored": (_play_backlog, dispatch, "rank_of", lambda _: Rank.BULK, "went before a reply"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_limiter_is_found_out(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulation that passes whatever the limiter does would be a promise that nobody keeps."""
    play, owner, name, wrong, said = MUTANTS[mutant]
    monkeypatch.setattr(owner, name, wrong)
    assert any(said in line for line in play())


def test_the_tables_show_what_was_found() -> None:
    """A figure in the wrong column would promise something else."""
    scenes: tuple[Any, ...] = (
        few_campaigns(),
        few_crashes(),
        fifty("bucket"),
        fifty("debt"),
        few_permits(),
        few_queued(),
    )
    names = ("campaigns", "crashes", "pair, bucket", "pair, debt", "scheduler", "backlog")
    figures: list[Any] = [asdict(each) for each in scenes]
    found = {name: Report(each, [], 1.0) for name, each in zip(names, figures, strict=True)}
    rows = {row[0]: row for row in benchmark.table(found).rows}
    assert rows["50 to one person, bucket"][2:5] == ["50", "the 46th after 6 s", "0"]
    assert rows["50 to one person, debt"][2:5] == ["50", "the 46th after 270 s", "0"]
    assert rows["12 kills, 2 rebalances"][4:7] == ["0", "0", "0"]
    (row,) = benchmark.backlog_table(found["backlog"]).rows
    assert (row[0], len(row)) == ("1,000", len(benchmark.backlog_table(found["backlog"]).columns))


def test_a_scene_in_a_process_of_its_own_says_what_it_found() -> None:
    """The benchmark would show no figures, or those of a scene that was never run."""
    report = measured("scheduler", 200)
    assert (report.figures["commands"], report.figures["violations"], report.problems) == (200, 0, [])


def test_a_broken_bound_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of violations would end with 0, and nobody look at it."""
    broken = Report({}, ["3 violations of pair"], 1.0)
    monkeypatch.setattr(benchmark, "measured", lambda *_: broken)
    with pytest.raises(PipelineError, match="crashes: 3 violations of pair"):
        benchmark.limits(Options(), lambda _: None)
