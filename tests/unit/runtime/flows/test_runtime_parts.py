"""The runtime's small parts: offsets, backlog, tables, retries, partitions."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import DefaultPartitioner
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from pipeline.backoff import RetryPolicy
from pipeline.errors import InvalidRecord, RetryAfter, Unavailable
from pipeline.runtime.flows.fetch_buffer import FetchBuffer
from pipeline.runtime.flows.offsets import OffsetTracker
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.runtime.tables.views import TableView, TableWrite, UncommittedWrites

TP0, TP1 = TP("t", 0), TP("t", 1)


@given(st.permutations(range(12)))
def test_the_position_is_the_first_unfinished_offset(order: list[int]) -> None:
    """Without it, a crash would skip a message that somebody was still working on."""
    tracker = OffsetTracker()
    for offset in range(100, 112):
        tracker.track(offset)
    finished: set[int] = set()
    position = 100
    for step in order:
        finished.add(100 + step)
        position = tracker.finish(100 + step) or position
        first = next((offset for offset in range(100, 112) if offset not in finished), 112)
        assert position == first
    assert tracker.unfinished == 0


def test_a_full_partition_is_full_until_it_is_taken_from() -> None:
    """Without it, a backlog of a million records would be pulled into memory."""
    backlog = FetchBuffer(limit=3)
    backlog.add(TP0, [1, 2, 3, 4])
    assert backlog.full(TP0)
    assert not backlog.full(TP1)
    assert backlog.pop(TP0, 2) == [1, 2]
    assert not backlog.full(TP0)
    assert backlog.has_capacity.is_set()


@given(st.lists(st.lists(st.integers(), min_size=1, max_size=9), max_size=9), st.integers(1, 10))
def test_taking_gives_every_record_once_in_order(lists: list[list[int]], limit: int) -> None:
    """Without it, cutting a fetched list in two would lose or repeat a record."""
    backlog, taken = FetchBuffer(), []
    for records in lists:
        backlog.add(TP0, records)
    while backlog.not_empty.is_set():
        taken += backlog.pop_next(limit)[1]
    assert taken == [record for records in lists for record in records]
    assert len(backlog) == 0


def test_partitions_take_turns() -> None:
    """Without it, a busy partition would starve the others of the same worker."""
    backlog = FetchBuffer()
    backlog.add(TP0, list(range(10)))
    backlog.add(TP1, list(range(10)))
    assert [backlog.pop_next(5)[0] for _ in range(4)] == [TP0, TP1, TP0, TP1]


def test_a_pending_write_is_read_before_it_is_stored() -> None:
    """Without it, two copies of an event in one batch would both pass deduplication."""
    pending, journal = UncommittedWrites(), list[TableWrite]()
    view = TableView("seen", 0, {}, pending.rows("seen", 0), journal)
    view.put("id", b"1")
    assert view.get("id") == b"1"
    pending.rollback(journal)
    assert view.get("id") is None


def test_undo_leaves_what_an_earlier_record_wrote_under_the_same_key() -> None:
    """Without it, a failing duplicate would make its original forgotten."""
    pending, journal = UncommittedWrites(), list[TableWrite]()
    view = TableView("seen", 0, {}, pending.rows("seen", 0), journal)
    view.put("id", b"first")
    view.put("id", b"second")
    pending.rollback(journal, 1)
    assert view.get("id") == b"first"


def test_settling_keeps_a_write_that_came_later() -> None:
    """Without it, the second of two outcomes could be unread between its write and its store."""
    pending, journal = UncommittedWrites(), list[TableWrite]()
    view = TableView("sent", 0, {}, pending.rows("sent", 0), journal)
    view.put("id", b"first")
    view.put("id", b"second")
    pending.discard(journal[:1])
    assert view.get("id") == b"second"


def test_an_empty_table_value_is_refused() -> None:
    """Without it, recovery would take the row for a deletion and the event would be handled twice."""
    with pytest.raises(ValueError, match="empty"):
        TableView("seen", 0, {}, {}, []).put("id", b"")


def test_retries_give_up_on_what_cannot_succeed_and_never_on_what_is_away() -> None:
    """Without it, bad bytes would be retried for ever, or an outage dead-lettered."""
    retries = RetryPolicy(max_attempts=3)
    assert retries.gives_up(InvalidRecord(""), 1)
    assert [retries.gives_up(RuntimeError(), attempt) for attempt in (1, 2, 3)] == [False, False, True]
    assert not retries.gives_up(Unavailable(), 10_000)


def test_delays_double_up_to_the_longest_and_a_told_delay_is_kept() -> None:
    """Without it, a retry would hammer what is down, or ignore what a provider asked for."""
    retries = RetryPolicy(initial_delay=0.5, max_delay=5, jitter=1)
    assert 0.5 <= retries.delay_after(RuntimeError(), 1) <= 1
    assert 5 <= retries.delay_after(RuntimeError(), 1000) <= 10
    assert retries.delay_after(RetryAfter("", 42), 1) == 42


@given(st.binary(max_size=64), st.sampled_from([1, 8, 48]))
def test_partitions_agree_with_every_other_client(key: bytes, count: int) -> None:
    """Without it, the ingress and the stages would put one conversation on two partitions."""
    partitions = list(range(count))
    assert partition_of(key, count) == DefaultPartitioner()(key, partitions, partitions)
