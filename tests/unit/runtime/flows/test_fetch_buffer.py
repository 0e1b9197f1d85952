"""The backlog's bounds in bytes: a few large records are as much as many small ones."""

from __future__ import annotations

from collections.abc import Sequence

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from pipeline.runtime.flows.fetch_buffer import FetchBuffer, FetchedChunk
from pipeline.runtime.flows.offsets import OffsetTracker
from pipeline.testing import TestRecord

TP0, TP1 = TP("t", 0), TP("t", 1)


def test_a_partition_is_full_by_its_bytes() -> None:
    """A burst of webhooks of 3 MiB each would take a worker's memory long before five thousand of them."""
    backlog = FetchBuffer(limit=1_000, limit_bytes=100)
    backlog.add(TP0, ["a", "b"], 99)
    assert not backlog.full(TP0)
    backlog.add(TP0, ["c"], 1)
    assert backlog.full(TP0)
    assert not backlog.full(TP1)
    backlog.has_capacity.clear()
    backlog.pop(TP0, 1)
    assert not backlog.full(TP0)
    assert backlog.has_capacity.is_set()


def test_a_batch_ends_where_its_bytes_do_and_holds_one_record_at_least() -> None:
    """A batch of a thousand large records would be published, and held in memory, at once."""
    backlog = FetchBuffer()
    backlog.add(TP0, ["a", "b", "c", "d"], 400)
    backlog.add(TP1, ["e"], 1_000)
    assert backlog.pop_next(1_000, 250) == (TP0, ["a", "b", "c"])
    assert backlog.pop_next(1_000, 1) == (TP1, ["e"])
    assert backlog.size == 100
    assert backlog.pop(TP0, 1_000, 1) == ["d"]


def test_a_run_ends_where_its_records_do_whatever_it_promised() -> None:
    """A loop would wait for records that compaction took, or a partition be full of nothing."""
    backlog = FetchBuffer()
    backlog.add(TP0, FetchedChunk(iter("abc"), 9, 90))
    backlog.add(TP1, FetchedChunk(iter(""), 9, 90))
    assert (len(backlog), backlog.size) == (9, 90)
    assert backlog.pop_next(2) == (TP0, ["a", "b"])
    assert backlog.pop_next(9) == (TP0, ["c"])
    assert (len(backlog), backlog.size, backlog.not_empty.is_set()) == (0, 0, False)


@given(
    st.lists(st.tuples(st.lists(st.integers(), min_size=1, max_size=9), st.integers(0, 500)), max_size=9),
    st.integers(1, 10),
    st.integers(1, 300),
)
def test_every_record_is_taken_once_in_order_whatever_the_bounds(
    lists: list[tuple[list[int], int]], limit: int, size: int
) -> None:
    """Cutting a fetched list in two would lose or repeat a record, or leave a partition full for ever."""
    backlog, taken = FetchBuffer(limit_bytes=1), []
    for records, weight in lists:
        backlog.add(TP0, records, weight)
    while backlog.not_empty.is_set():
        taken += backlog.pop_next(limit, size)[1]
    assert taken == [record for records, _ in lists for record in records]
    assert (len(backlog), backlog.full(TP0)) == (0, False)


def test_who_waits_for_arrivals_is_woken_although_there_was_something_before() -> None:
    """A stage that is full of one partition's work would never look at what comes in for another."""
    backlog = FetchBuffer()
    backlog.add(TP0, ["a"])
    backlog.new_data.clear()
    backlog.add(TP1, ["b"])
    assert backlog.new_data.is_set()


def test_the_bytes_in_hand_are_those_of_what_is_unfinished() -> None:
    """A window would fill up with bytes that are long gone, or hold any number of large records."""
    tracker = OffsetTracker()
    for offset in range(3):
        tracker.track(offset, 100)
    assert tracker.finish(1) is None
    assert (tracker.size, tracker.unfinished, tracker.taken) == (200, 2, 3)
    assert tracker.finish(0) == 2
    assert (tracker.size, tracker.unfinished, tracker.taken) == (100, 1, 1)


def test_what_is_given_back_comes_first_again() -> None:
    """A record would be overtaken by a later one of its conversation, or never be taken."""
    backlog, records = FetchBuffer(limit=3), [TestRecord(b"%d" % n, offset=n) for n in range(4)]
    backlog.add(TP0, records[:3], 3)
    taken = backlog.pop(TP0, 3)
    assert not backlog.not_empty.is_set()
    backlog.push_back(TP0, taken[1:])
    backlog.add(TP0, records[3:], 1)
    assert (len(backlog), backlog.size, backlog.full(TP0)) == (3, 3, True)
    assert backlog.pop(TP0, 9) == records[1:]
    assert backlog.size == 0


class Ended:
    """A gate that lets records before offset 2 through."""

    def __init__(self) -> None:
        self.running: set[int] = set()

    def first_blocked(self, _: TP) -> float:
        return 2

    def on_blocked(self, tp: TP) -> None: ...

    def on_taken(self, _: TP, offsets: Sequence[int]) -> None:
        self.running.update(offsets)

    def on_returned(self, _: TP, offsets: Sequence[int]) -> None:
        self.running.difference_update(offsets)


def test_what_is_given_back_at_a_gate_comes_before_what_is_barred() -> None:
    """A conversation whose records are suspects would be handled out of order, or a record never again."""
    backlog, records = FetchBuffer(), [TestRecord(b"k", b"v", offset=offset) for offset in range(4)]
    backlog.gate = gate = Ended()
    backlog.add(TP0, records, 4)
    taken = backlog.pop(TP0, 9)
    assert ([record.offset for record in taken], backlog.ready_partitions()) == ([0, 1], [])
    backlog.push_back(TP0, taken[1:])
    assert (gate.running, len(backlog)) == ({0}, 3)
    assert [record.offset for record in backlog.pop(TP0, 9)] == [1]
    assert backlog.blocked_heads() == {TP0: 2}
