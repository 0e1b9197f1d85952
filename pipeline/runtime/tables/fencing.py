"""Detection of a second writer to a changelog.

A worker that was frozen for longer than its session (a paused machine, a stopped process) continues for a moment with
partitions that another worker has by then. Both find out by the offsets of their rows: a row behind rows that were
never read here has another writer. The log has one order, so of two workers that note what they are about to do, the
second one sees the first one's note before it acts.
"""

from __future__ import annotations

from typing import NamedTuple


class OffsetRange(NamedTuple):
    """The offsets of records that were written to one partition: first, last, and the number of records."""

    first: int
    last: int
    records: int


class WriterFence:
    """Follows the changelog of one table, partition by partition, through one generation of the group."""

    def __init__(self) -> None:
        self._generation = -1
        self._next: dict[int, int] = {}

    def accepts(self, generation: int, partition: int, written: OffsetRange, recovered: int) -> bool:
        """Return True if every row up to `written.last` was read or written here.

        `recovered` is the last offset that recovery read. After a first False the partition stays refused for the rest
        of the generation: other flows of this process may write again before it ends.
        """
        if generation != self._generation:
            self._generation, self._next = generation, {}
        expected = self._next.setdefault(partition, recovered + 1)
        is_sole_writer = written.first == expected and written.last == expected + written.records - 1
        if is_sole_writer:
            self._next[partition] = written.last + 1
        return is_sole_writer
