"""The tables of one app: local rows, uncommitted writes, and their commit."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from pipeline.runtime.tables.fencing import OffsetRange
from pipeline.runtime.tables.views import TableRows, TableView, TableWrite, UncommittedWrites


class LocalTable(Protocol):
    """The local rows of one table: `TableStore` in a worker, memory in tests."""

    @property
    def changelog(self) -> str:
        """The topic that every row is written to before it is stored."""

    def partition(self, partition: int) -> TableRows:
        """Return the rows of one partition."""

    def scan(self, partition: int, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Return the rows of one partition from the key `start` on, in the order of their keys."""

    def apply(self, writes: Iterable[TableWrite], ranges: Mapping[int, OffsetRange]) -> None:
        """Store rows that the changelog has. `ranges` are their changelog offsets by partition."""


class ChangelogPublisher(Protocol):
    """The part of a publisher that tables need."""

    async def publish_changelog(
        self, topics: dict[str, str], writes: Sequence[TableWrite]
    ) -> dict[tuple[str, int], OffsetRange]:
        """Publish rows to the changelogs of their tables. Return their offsets by table and partition."""


class Tables:
    """Owns the stores of an app, the writes that are not in them yet, and the order in which they get there."""

    def __init__(self, stores: Mapping[str, LocalTable] | None = None) -> None:
        self._stores = dict(stores or {})
        self._visible = dict(self._stores)
        self._uncommitted = UncommittedWrites()
        self._changelog_lock = asyncio.Lock()

    def add(self, name: str, store: LocalTable, *, internal: bool = False) -> None:
        """Add a store. Stages see no internal one."""
        self._stores[name] = store
        if not internal:
            self._visible[name] = store

    def __getitem__(self, name: str) -> LocalTable:
        return self._stores[name]

    def __contains__(self, name: object) -> bool:
        return name in self._stores

    @property
    def changelogs(self) -> dict[str, str]:
        """The changelog topics by table."""
        return {name: store.changelog for name, store in self._stores.items()}

    def views(self, partition: int, journal: list[TableWrite]) -> dict[str, TableView]:
        """Return a view of each table for the records of one partition. Their writes are added to `journal`."""
        return {
            name: TableView(
                name, partition, store.partition(partition), self._uncommitted.rows(name, partition), journal
            )
            for name, store in self._visible.items()
        }

    def rollback(self, journal: list[TableWrite], length: int = 0) -> None:
        """Undo the writes that were added since the journal had `length` entries."""
        self._uncommitted.rollback(journal, length)

    async def commit(self, publisher: ChangelogPublisher, writes: Sequence[TableWrite]) -> None:
        """Write rows to their changelogs, then to the local stores.

        Call this when the outputs of their records are acknowledged, and release offsets only when it has returned.
        """
        if not writes:
            return
        async with self._changelog_lock:  # the stores must get the rows of several flows in the changelog's order
            ranges = await publisher.publish_changelog(self.changelogs, writes)
            for table, rows in _by_table(writes).items():
                own = {partition: written for (name, partition), written in ranges.items() if name == table}
                self._stores[table].apply(rows, own)
            self._uncommitted.discard(writes)


def _by_table(writes: Sequence[TableWrite]) -> dict[str, list[TableWrite]]:
    tables: dict[str, list[TableWrite]] = defaultdict(list)
    for write in writes:
        tables[write[0]].append(write)
    return tables
