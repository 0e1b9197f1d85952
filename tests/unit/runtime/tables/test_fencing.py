"""Whether somebody else writes to a changelog: told by where our own rows land."""

from __future__ import annotations

from pipeline.runtime.tables.fencing import OffsetRange, WriterFence


def test_writes_that_follow_on_each_other_are_ours_alone() -> None:
    """A worker that nobody disturbs would end itself, again and again."""
    writer = WriterFence()
    assert writer.accepts(1, 0, OffsetRange(10, 12, 3), recovered=9)
    assert writer.accepts(1, 0, OffsetRange(13, 13, 1), recovered=9)
    assert writer.accepts(1, 1, OffsetRange(0, 4, 5), recovered=-1)


def test_a_write_behind_rows_that_were_not_read_is_told_until_they_are() -> None:
    """Of two workers that both think an account is theirs, each would send what the other has sent already."""
    writer = WriterFence()
    assert not writer.accepts(1, 0, OffsetRange(12, 12, 1), recovered=9)
    assert not writer.accepts(1, 0, OffsetRange(13, 13, 1), recovered=9), (
        "another flow of the same process writes before it ends"
    )
    assert writer.accepts(2, 0, OffsetRange(15, 15, 1), recovered=14)


def test_a_gap_between_two_batches_of_one_write_is_somebody_else() -> None:
    """A large write that another worker's came in between would hide that one."""
    assert not WriterFence().accepts(1, 0, OffsetRange(10, 13, 3), recovered=9)
