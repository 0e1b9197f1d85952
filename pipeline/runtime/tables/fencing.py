"""Whether we are the only one who writes to a changelog.

A worker that was frozen for longer than its session (a paused machine, a stopped process) goes on for a moment with
partitions that are another's by then. Both find out by where their rows land: behind rows that they never read. The
log has one order, so of two who note what they are about to do, the second one sees it before it does it.
"""

from __future__ import annotations

from typing import NamedTuple


class OffsetRange(NamedTuple):
    """Where records landed in one partition: first and last offset, and how many were written."""

    first: int
    last: int
    records: int


class WriterFence:
    """Follows the changelog of one table, partition by partition, through one generation of the group."""

    def __init__(self) -> None:
        self._generation = -1
        self._next: dict[int, int] = {}

    def accepts(self, generation: int, partition: int, span: OffsetRange, recovered: int) -> bool:
        """Whether all up to `span.last` was read or written here. `recovered` is the last offset that was read.

        Who was not alone once is not for the rest of the generation: what else the process has in hand may write again
        before it ends.
        """
        if generation != self._generation:
            self._generation, self._next = generation, {}
        expected = self._next.setdefault(partition, recovered + 1)
        alone = span.first == expected and span.last == expected + span.records - 1
        if alone:
            self._next[partition] = span.last + 1
        return alone
