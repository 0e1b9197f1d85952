"""Tables: what a stage remembers, one RocksDB a partition, with a changelog on Kafka.

A write is *pending* until the outputs of its record are acknowledged and the changelog has it; then it goes to the
local store in one atomic batch, together with the changelog's offset. So the store is never ahead of the topics.
Pending writes are seen by every later read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Protocol

TableWrite = tuple[str, int, bytes, bytes]
"""A table write that waits for its record's outputs to be acknowledged: table, partition, key, value (never empty).

A plain tuple, as are outputs: one of each is made for every event, and a named one costs five times as much.
"""


def group_by_partition(marks: Iterable[TableWrite]) -> Iterator[tuple[tuple[str, int], Iterator[TableWrite]]]:
    """Runs of writes to one partition of one table."""
    return groupby(marks, key=itemgetter(0, 1))


class TableRows(Protocol):
    """Where a partition's rows are: RocksDB in a worker, a dict in tests."""

    def get(self, key: bytes) -> bytes | None: ...


class TableView:
    """A table as one partition's records see it."""

    __slots__ = ("_journal", "_name", "_partition", "_pending", "_store")

    def __init__(
        self, name: str, partition: int, store: TableRows, pending: dict[bytes, bytes], journal: list[TableWrite]
    ) -> None:
        self._name = name
        self._partition = partition
        self._store = store
        self._pending = pending
        self._journal = journal

    def get(self, key: str) -> bytes | None:
        """The value of `key`, or None."""
        raw = key.encode()
        value = self._pending.get(raw)
        return self._store.get(raw) if value is None else value

    def put(self, key: str, value: bytes) -> None:
        """Writes `value`, once the outputs of the record in hand are acknowledged."""
        if not value:
            raise ValueError("a table value can't be empty: recovery would take it for a deletion")
        raw = key.encode()
        self._pending[raw] = value
        self._journal.append((self._name, self._partition, raw, value))


class UncommittedWrites:
    """The writes of every table that are not in the stores yet."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, int], dict[bytes, bytes]] = {}

    def rows(self, table: str, partition: int) -> dict[bytes, bytes]:
        return self._rows.setdefault((table, partition), {})

    def discard(self, marks: Iterable[TableWrite]) -> None:
        """Forgets writes that are in their store, or whose record failed; not those that were overwritten since."""
        for (table, partition), group in group_by_partition(marks):
            rows = self.rows(table, partition)
            for _, _, key, value in group:
                if rows.get(key) is value:
                    del rows[key]

    def clear(self) -> None:
        """Forgets all of them: their records will be delivered again."""
        for rows in self._rows.values():
            rows.clear()


def rollback(journal: list[TableWrite], length: int, pending: UncommittedWrites) -> None:
    """Takes back what was written since the journal had `length` entries."""
    failed: Sequence[TableWrite] = journal[length:]
    del journal[length:]
    pending.discard(failed)
    for table, partition, key, value in journal:  # an earlier record of the batch may have written the same key
        pending.rows(table, partition).setdefault(key, value)
