"""The limit of log lines of one kind."""

from __future__ import annotations

from pipeline.line_limit import MAX_KINDS, LineLimit


def test_a_flood_is_cut_and_counted() -> None:
    """An outage would write a line per record and second, or the lines would stop without a word."""
    now = 0.0
    limit = LineLimit(2, 10, lambda: now)
    assert [limit.admit("a") for _ in range(5)] == [0, 0, None, None, None]
    assert limit.admit("b") == 0
    now = 10.0
    assert [limit.admit("a") for _ in range(3)] == [3, 0, None]


def test_kinds_are_bounded() -> None:
    """A worker would keep something of every tenant and place for ever."""
    limit = LineLimit(1, 10, lambda: 0.0)
    for kind in range(MAX_KINDS + 1):
        limit.admit(kind)
    assert limit.admit(MAX_KINDS) is None
    assert limit.admit(0) == 0
