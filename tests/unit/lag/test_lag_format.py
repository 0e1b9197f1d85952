"""The lag as people and programs read it."""

from __future__ import annotations

import json

import pytest

from pipeline.cli._checks import CheckState
from pipeline.cli._lag_check import finding_of
from pipeline.lag.format import age, app_table, as_json, partition_table
from pipeline.lag.report import AppLag, LagReport, LagRow
from pipeline.runtime.kafka.group_positions import NO_LEADER
from pipeline.runtime.process.lag import PartitionLag

INTAKE = AppLag("intake", [LagRow("intake", "webhooks.raw", number, PartitionLag()) for number in range(3)])
MESSENGER = AppLag(
    "messenger",
    [
        LagRow("messenger", "commands.bulk", 0, PartitionLag(1_200, 7_300, 200, 3, 1_000, 7_300)),
        LagRow("messenger", "commands.bulk", 1, None, NO_LEADER),
        LagRow("messenger", "commands.bulk", 2, PartitionLag(0, 0, trimmed=9), "removed"),
    ],
)
BLIND = AppLag("handlers-vip", [LagRow("handlers-vip", "events.vip", 0, PartitionLag(5, 61, unknown=5))])
REPORT = LagReport([INTAKE, BLIND, MESSENGER], {})


def test_a_table_has_one_line_per_app_and_a_bad_partition_is_said_in_words() -> None:
    """One partition without a leader would blank the rest of the table, or not be seen in it at all."""
    assert list(app_table(REPORT)) == [
        "APP             LAG  OLDEST  SENDABLE  OLDEST   HELD  OLDEST  UNKNOWN  LOST  NOTE",
        "intake            0       -         0       -      0       -        0     0",
        "handlers-vip      5    61 s         ?       ?      ?       ?        5     0",
        f"messenger     1,200   2.0 h       200     3 s  1,000   2.0 h        0     9  1 not measured: {NO_LEADER}",
    ]


def test_partitions_without_lag_are_only_counted() -> None:
    """The few partitions that matter would be lost among hundreds of lines."""
    lines = list(partition_table(REPORT))
    assert [line.split()[:3] for line in lines[1:5]] == [
        ["handlers-vip", "events.vip", "0"],
        ["messenger", "commands.bulk", "0"],
        ["messenger", "commands.bulk", "1"],
        ["messenger", "commands.bulk", "2"],
    ]
    assert lines[3].endswith(NO_LEADER)
    assert lines[4].endswith("9  removed")
    assert lines[5:] == ["partitions with nothing behind: 3"]


def test_programs_get_all_partitions_and_null_for_what_is_unknown() -> None:
    """An autoscaler would take a partition that could not be measured for one without lag."""
    rows = [json.loads(line) for line in as_json(REPORT, by_partition=True)]
    assert len(rows) == 7
    assert rows[5] | {"note": ""} == {
        "app": "messenger",
        "topic": "commands.bulk",
        "partition": 1,
        **dict.fromkeys(PartitionLag._fields),
        "note": "",
    }
    apps = {row["app"]: row for row in map(json.loads, as_json(REPORT, by_partition=False))}
    assert (apps["messenger"]["sendable"], apps["messenger"]["not_measured"]) == (200, 1)
    assert (apps["handlers-vip"]["sendable"], apps["handlers-vip"]["unknown"]) == (0, 5)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "?"),
        (0, "0 s"),
        (119.4, "119 s"),
        (125, "2 min"),
        (7_300, "2.0 h"),
        (90_000, "25 h"),
        (864_000, "10 d"),
    ],
)
def test_an_age_is_short(seconds: float | None, text: str) -> None:
    """Nobody sees at a glance that 604800 is a week."""
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("app", "state", "text"),
    [
        (INTAKE, CheckState.OK, "intake: nothing behind"),
        (
            BLIND,
            CheckState.WARNING,
            "handlers-vip: 5 behind of which no worker says more, the oldest 61 s: see `pipeline lag --by partition`",
        ),
        (
            MESSENGER,
            CheckState.WARNING,
            f"messenger: 200 sendable, the oldest 3 s; 1,000 held, the oldest 2.0 h; 1 not measured: {NO_LEADER}",
        ),
        (AppLag("a", MESSENGER.rows[:1]), CheckState.OK, None),
        (
            AppLag("a", [LagRow("a", "t", 0, PartitionLag(7, 61, 7, 61))]),
            CheckState.WARNING,
            "a: 7 sendable, the oldest 61 s: add workers, or see what slows them",
        ),
        (AppLag("a", [LagRow("a", "t", None, None, "topic missing")]), CheckState.SKIPPED, "a: topic missing"),
    ],
    ids=["idle", "nobody said", "a part is not measured", "only held", "behind", "no topic"],
)
def test_the_doctor_warns_of_what_could_be_worked_on_and_is_not(
    app: AppLag, state: CheckState, text: str | None
) -> None:
    """A campaign that waits for its limit, as it should, would look like a fault; a backlog like none."""
    finding = finding_of(app, 60)
    assert finding.state is state
    assert text in (None, finding.text)
