"""The backlog's bounds in bytes: a few large records are as much as many small ones."""

from __future__ import annotations

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.backlog import Backlog
from pipeline.runtime.offsets import OffsetTracker

TP0, TP1, TP2 = TP("t", 0), TP("t", 1), TP("t", 2)


def test_a_partition_is_full_by_its_bytes() -> None:
    """A burst of webhooks of 3 MiB each would take a worker's memory long before five thousand of them."""
    backlog = Backlog(limit=1_000, limit_bytes=100)
    backlog.add(TP0, ["a", "b"], 99)
    assert not backlog.full(TP0)
    backlog.add(TP0, ["c"], 1)
    assert backlog.full(TP0)
    assert not backlog.full(TP1)
    backlog.room.clear()
    backlog.take(TP0, 1)
    assert not backlog.full(TP0)
    assert backlog.room.is_set()


def test_a_batch_ends_where_its_bytes_do_and_holds_one_record_at_least() -> None:
    """A batch of a thousand large records would be published, and held in memory, at once."""
    backlog = Backlog()
    backlog.add(TP0, ["a", "b", "c", "d"], 400)
    backlog.add(TP1, ["e"], 1_000)
    assert backlog.take_all(1_000, 250) == {TP0: ["a", "b", "c"]}
    assert backlog.take_all(1_000, 1) == {TP1: ["e"]}
    assert backlog.take(TP0, 1_000, 1) == ["d"]


def test_a_batch_is_of_all_partitions_alike_and_full_where_one_has_little() -> None:
    """Its outputs would go to one partition, one request behind the other, while all others wait: a third slower."""
    backlog = Backlog()
    for tp, records in ((TP0, 5_000), (TP1, 10), (TP2, 5_000)):
        backlog.add(tp, range(records))
    assert {tp: len(taken) for tp, taken in backlog.take_all(2_000).items()} == {TP0: 995, TP1: 10, TP2: 995}
    assert {tp: len(taken) for tp, taken in backlog.take_all(3).items()} == {TP0: 2, TP2: 1}


def test_no_partition_waits_for_ever_behind_those_that_fill_a_batch() -> None:
    """With few records a batch, or large ones, somebody's conversations would stand still while others' go on."""
    backlog = Backlog()
    for tp in (TP0, TP1, TP2):
        backlog.add(tp, ["a", "b"], 200)
    assert [list(backlog.take_all(10, 100)) for _ in range(3)] == [[TP0], [TP1], [TP2]]
    assert {tp for _ in range(3) for tp in backlog.take_all(1)} == {TP0, TP1, TP2}


@given(
    st.lists(st.tuples(st.lists(st.integers(), min_size=1, max_size=9), st.integers(0, 500)), max_size=9),
    st.integers(1, 10),
    st.integers(1, 300),
)
def test_every_record_is_taken_once_in_order_whatever_the_bounds(
    lists: list[tuple[list[int], int]], limit: int, size: int
) -> None:
    """Cutting a fetched list in two would lose or repeat a record, or leave a partition full for ever."""
    backlog, taken = Backlog(limit_bytes=1), []
    for records, weight in lists:
        backlog.add(TP0, records, weight)
    while backlog.some.is_set():
        taken += backlog.take_all(limit, size)[TP0]
    assert taken == [record for records, _ in lists for record in records]
    assert (len(backlog), backlog.full(TP0)) == (0, False)


def test_who_waits_for_arrivals_is_woken_although_there_was_something_before() -> None:
    """A stage that is full of one partition's work would never look at what comes in for another."""
    backlog = Backlog()
    backlog.add(TP0, ["a"])
    backlog.arrived.clear()
    backlog.add(TP1, ["b"])
    assert backlog.arrived.is_set()


def test_the_bytes_in_hand_are_those_of_what_is_unfinished() -> None:
    """A window would fill up with bytes that are long gone, or hold any number of large records."""
    tracker = OffsetTracker()
    for offset in range(3):
        tracker.take(offset, 100)
    assert tracker.finish(1) is None
    assert (tracker.size, tracker.unfinished) == (200, 3)
    assert tracker.finish(0) == 2
    assert (tracker.size, tracker.unfinished) == (100, 1)
