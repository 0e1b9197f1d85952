"""Which changelog offsets may be remembered as read: those behind which nobody else has written."""

from __future__ import annotations

from pipeline.runtime.sole_writer import SoleWriter, Span


def test_writes_that_follow_on_each_other_may_be_remembered() -> None:
    """Every restart would read the whole changelog again."""
    writer = SoleWriter()
    assert writer.wrote(1, 0, Span(10, 12, 3), recovered=9)
    assert writer.wrote(1, 0, Span(13, 13, 1), recovered=9)
    assert writer.wrote(1, 1, Span(0, 4, 5), recovered=-1)


def test_after_somebody_else_wrote_nothing_is_remembered_until_the_changelog_is_read_anew() -> None:
    """A recovery would begin behind rows that were never read, and what they remember would happen again."""
    writer = SoleWriter()
    assert not writer.wrote(1, 0, Span(12, 12, 1), recovered=9)
    assert not writer.wrote(1, 0, Span(13, 14, 2), recovered=9)
    assert writer.wrote(2, 0, Span(15, 15, 1), recovered=14)


def test_a_gap_between_two_batches_of_one_write_is_somebody_else() -> None:
    """A large write that another worker's came in between would hide that one."""
    assert not SoleWriter().wrote(1, 0, Span(10, 13, 3), recovered=9)
