"""Table rows as stages read and write them.

A write is *uncommitted* until the outputs of its record are acknowledged and the changelog has the row. Then the row
goes to the local store in one atomic batch, together with the changelog's offset, so the store is never ahead of the
topics. Every later read sees an uncommitted write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Protocol

TableWrite = tuple[str, int, bytes, bytes]
"""One row to be written: table, partition, key, value. An empty value deletes the row.

A plain tuple, as outputs are: one is made for every event, and a named tuple costs five times as much.
"""


def group_by_partition(writes: Iterable[TableWrite]) -> Iterator[tuple[tuple[str, int], Iterator[TableWrite]]]:
    """Group consecutive writes by their table and partition."""
    return groupby(writes, key=itemgetter(0, 1))


class TableRows(Protocol):
    """The rows of one partition: RocksDB in a worker, a dict in tests."""

    def get(self, key: bytes, /) -> bytes | None: ...


class TableView:
    """A table as the records of one partition see it."""

    __slots__ = ("_journal", "_name", "_partition", "_rows", "_uncommitted")

    def __init__(
        self, name: str, partition: int, rows: TableRows, uncommitted: dict[bytes, bytes], journal: list[TableWrite]
    ) -> None:
        self._name = name
        self._partition = partition
        self._rows = rows
        self._uncommitted = uncommitted
        self._journal = journal

    def get(self, key: str) -> bytes | None:
        """Return the value of `key`, or None."""
        raw = key.encode()
        value = self._uncommitted.get(raw)
        return self._rows.get(raw) if value is None else value

    def put(self, key: str, value: bytes) -> None:
        """Write `value`. The row is stored once the outputs of the record in work are acknowledged."""
        if not value:
            raise ValueError("a table value can't be empty: recovery would take it for a deletion")
        raw = key.encode()
        self._uncommitted[raw] = value
        self._journal.append((self._name, self._partition, raw, value))


class UncommittedWrites:
    """The writes of all tables that are not in the local stores yet."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, int], dict[bytes, bytes]] = {}

    def rows(self, table: str, partition: int) -> dict[bytes, bytes]:
        """Return the uncommitted rows of one partition by key."""
        return self._rows.setdefault((table, partition), {})

    def discard(self, writes: Iterable[TableWrite]) -> None:
        """Forget writes that are stored or whose record failed. A write that a later one replaced stays."""
        for (table, partition), group in group_by_partition(writes):
            rows = self.rows(table, partition)
            for _, _, key, value in group:
                if rows.get(key) is value:
                    del rows[key]

    def rollback(self, journal: list[TableWrite], length: int = 0) -> None:
        """Undo the writes that were added since the journal had `length` entries."""
        failed = journal[length:]
        del journal[length:]
        self.discard(failed)
        for table, partition, key, value in journal:  # an earlier record of the batch may have written the same key
            self.rows(table, partition).setdefault(key, value)

    def clear(self) -> None:
        """Forget all writes: their records will be delivered again."""
        for rows in self._rows.values():
            rows.clear()
