"""Lag in numbers: what is behind, what of it can be worked on, and what something holds."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.process.lag import LogPosition, PartitionLag, PartitionWork, measure, total

NOW = 1_000_000
"""The time of all tests, in ms."""
TIMES = st.none() | st.integers(-1, NOW + 5_000)
COUNTS = st.integers(0, 2_000)
LOGS = st.builds(
    lambda committed, start, length, first: LogPosition(committed, start, start + length, first),
    st.none() | COUNTS,
    COUNTS,
    COUNTS,
    COUNTS,
)
WORK = st.builds(PartitionWork, COUNTS, COUNTS, COUNTS, COUNTS, TIMES, TIMES, st.booleans(), COUNTS)
LAGS = st.builds(measure, LOGS, st.none() | WORK, TIMES, st.just(NOW))


@dataclass(frozen=True)
class Behind:
    """The numbers of a log: where the group goes on, how much is behind, and how much was removed before."""

    next: int
    records: int
    trimmed: int
    beyond_end: bool = False


@pytest.mark.parametrize(
    ("log", "behind"),
    [
        (LogPosition(5, 0, 12), Behind(5, 7, 0)),
        (LogPosition(12, 0, 12), Behind(12, 0, 0)),
        (LogPosition(None, 0, 0), Behind(0, 0, 0)),
        (LogPosition(None, 40, 50), Behind(40, 10, 0)),
        (LogPosition(5, 40, 50), Behind(40, 10, 35)),
        (LogPosition(5, 50, 50), Behind(50, 0, 45)),
        (LogPosition(90, 0, 10), Behind(0, 10, 0, beyond_end=True)),
        (LogPosition(7, 0, 9, first=9), Behind(7, 0, 0)),
        (LogPosition(7, 0, 20, first=11), Behind(7, 9, 0)),
    ],
    ids=[
        "behind",
        "all done",
        "an empty topic",
        "no commit",
        "trimmed",
        "all trimmed",
        "recreated",
        "only markers",
        "compacted",
    ],
)
def test_a_position_is_counted_from_where_the_group_goes_on(log: LogPosition, behind: Behind) -> None:
    """A trimmed log would look like a backlog that no worker can ever work off, or a recreated topic like no lag."""
    assert Behind(log.next, log.records, log.trimmed, log.is_beyond_end) == behind


@pytest.mark.parametrize(
    ("work", "lag"),
    [
        (PartitionWork(), PartitionLag(10, 100, 10, 100)),
        (
            PartitionWork(runnable=2, held=3, oldest_runnable=990_000, oldest_held=900_000),
            PartitionLag(10, 100, 7, 10, 3, 100),
        ),
        (PartitionWork(runnable=2, finished=4, oldest_runnable=900_000), PartitionLag(6, 100, 6, 100)),
        (
            PartitionWork(1, 4, oldest_runnable=950_000, oldest_held=900_000, blocked=True),
            PartitionLag(10, 100, 1, 50, 9, 100),
        ),
        (PartitionWork(parked=500, oldest_held=400_000), PartitionLag(510, 600, 10, 100, 500, 600)),
        (PartitionWork(held=10, oldest_held=900_000), PartitionLag(10, 100, 0, 0, 10, 100)),
        (PartitionWork(held=99, oldest_held=900_000), PartitionLag(10, 100, 0, 0, 10, 100)),
        (None, PartitionLag(10, 100, unknown=10)),
    ],
    ids=["free", "some wait", "done behind", "blocked", "parked", "all wait", "more than the log has", "nobody said"],
)
def test_what_something_holds_is_not_sendable(work: PartitionWork | None, lag: PartitionLag) -> None:
    """A campaign that waits for its limit would have workers added, and each of them a rebalance for everybody."""
    assert measure(LogPosition(5, 0, 15), work, 900_000, NOW) == lag


def test_parked_records_are_lag_of_a_log_that_is_read_to_its_end() -> None:
    """A million parked commands would be no lag at all, because their offsets are committed."""
    lag = measure(LogPosition(5, 0, 5), PartitionWork(parked=9, oldest_held=0), None, NOW)
    assert lag == PartitionLag(9, 1_000, 0, 0, 9, 1_000)


def test_an_age_that_nobody_knows_is_none_and_a_clock_that_is_behind_makes_none() -> None:
    """An alert would fire for a record of the year 1970, or of a producer whose clock is ahead."""
    for timestamp in (None, -1):
        assert measure(LogPosition(0, 0, 1), PartitionWork(), timestamp, NOW).seconds is None
    assert measure(LogPosition(0, 0, 1), PartitionWork(), NOW + 60_000, NOW).seconds == 0


@given(LOGS, st.none() | WORK, TIMES)
def test_the_parts_are_the_whole_and_nothing_is_negative(
    log: LogPosition, work: PartitionWork | None, oldest: int | None
) -> None:
    """Two numbers of one row would contradict each other, or workers be scaled to a number below zero."""
    lag = measure(log, work, oldest, NOW)
    assert lag.records == lag.sendable + lag.held + lag.unknown
    assert min(part for part in lag if part is not None) >= 0
    assert lag.sendable + lag.unknown <= log.records + (work.loaded if work else 0)
    assert log.records <= log.end - log.start
    assert lag.held <= log.records + (work.parked if work else 0)
    assert (lag.trimmed > 0) == (log.committed is not None and log.committed < log.start)
    assert lag.seconds is None or lag.seconds >= max(lag.sendable_seconds or 0, lag.held_seconds or 0)


@given(LOGS, WORK, TIMES)
def test_holding_everything_leaves_nothing_sendable(log: LogPosition, work: PartitionWork, oldest: int | None) -> None:
    """A partition that waits for a person would ask for workers."""
    before, after = measure(log, work, oldest, NOW), measure(log, work.hold(), oldest, NOW)
    assert (after.records, after.sendable, after.held) == (before.records, 0, before.records)


@given(st.lists(LAGS))
def test_a_total_is_the_sum_and_the_oldest_known(lags: list[PartitionLag]) -> None:
    """One partition whose age is unknown would blank the age of its app, or hide behind those without lag."""
    found = total(lags)
    assert found.records == sum(lag.records for lag in lags) == found.sendable + found.held + found.unknown
    known = [lag.seconds for lag in lags if lag.seconds]
    unknown = any(lag.seconds is None for lag in lags)
    assert found.seconds == (max(known) if known else None if unknown else 0)


def test_a_parked_record_that_runs_is_sendable_and_the_others_are_held() -> None:
    """A backlog that a worker drains from its disk would look as if nothing could be done about it."""
    work = PartitionWork(runnable=1, parked=7, loaded=3, oldest_runnable=NOW - 2_000, oldest_held=NOW - 9_000)
    lag = measure(LogPosition(4, 0, 5), work, NOW - 1_000, NOW)
    assert (lag.records, lag.sendable, lag.held) == (11, 4, 7)
    assert (lag.sendable_seconds, lag.held_seconds) == (2, 9)
