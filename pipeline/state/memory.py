"""The store of one process, which ends with it. For tests and trials, or if you can afford to lose all of it."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.state.change import RowChange
from pipeline.state.encoding import Fields
from pipeline.state.keys import groups
from pipeline.state.rows import MISSING, NO_EXPIRY
from pipeline.state.store import Applied, Committed, Store, UnitRecord, applied

_RECORD = "record"


@dataclass(slots=True)
class _Row:
    fields: Fields
    expires_at: float | None


class MemoryStore(Store):
    """Rows in a dict. Every commit is atomic because nothing in it awaits.

    Args:
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rows: dict[str, _Row] = {}
        self._groups: dict[str, set[str]] = {}
        self._expiries: list[tuple[float, str]] = []

    async def row(self, key: str) -> Fields | None:
        """Return all fields of the row; None if there is no row."""
        found = self._live(key)
        return dict(found.fields) if found else None

    async def field(self, key: str, name: str) -> bytes | None:
        """Return one field; None if there is none."""
        found = self._live(key)
        return found.fields.get(name) if found else None

    async def exists(self, key: str) -> bool:
        """Return True if the row exists."""
        return self._live(key) is not None

    async def ttl(self, key: str) -> int:
        """Return the seconds left; `NO_EXPIRY` for a row that never expires, `MISSING` if there is none."""
        found = self._live(key)
        if found is None:
            return MISSING
        return NO_EXPIRY if found.expires_at is None else math.floor(found.expires_at - self._clock() + 0.5)

    async def recorded(self, key: str) -> bytes | None:
        """Return the content of the `UnitRecord` under `key`; None if there is none."""
        return await self.field(key, _RECORD)

    async def keys(self, group: str) -> list[str]:
        """Return the names of a group's rows, sorted."""
        return sorted(key for key in self._groups.get(group, set()).copy() if self._live(key))

    async def commit(self, changes: Sequence[RowChange], record: UnitRecord | None = None) -> Committed:
        """Apply all changes and store the record in one step, as `Store.commit` says."""
        self._sweep()
        if record and (found := self._live(record.key)) and found.fields[_RECORD] != record.replaces:
            return Committed((), found.fields[_RECORD])
        after = [(change, self._live(change.key), self._after(change)) for change in changes]
        if record:
            self._store(record.key, {_RECORD: record.content}, self._clock() + record.ttl)
        return Committed([self._write(change, before, row) for change, before, row in after])

    async def ping(self) -> None:
        """Return at once."""

    async def close(self) -> None:
        """Do nothing: the rows stay as long as the store does."""

    def _after(self, change: RowChange) -> Fields | None:
        before = self._live(change.key)
        return change.apply_to(before.fields if before else None)

    def _write(self, change: RowChange, before: _Row | None, row: Fields | None) -> Applied:
        if row is None:
            self._forget(change.key)
        else:
            self._store(change.key, row, self._expiry(change, before))
        return applied(change, before.fields if before else None, row)

    def _expiry(self, change: RowChange, before: _Row | None) -> float | None:
        if change.ttl is not None:
            return self._clock() + change.ttl
        return None if change.remove or before is None else before.expires_at

    def _store(self, key: str, fields: Fields, expires_at: float | None) -> None:
        self._rows[key] = _Row(fields, expires_at)
        for group in groups(key):
            self._groups.setdefault(group, set()).add(key)
        if expires_at is not None:
            heapq.heappush(self._expiries, (expires_at, key))

    def _live(self, key: str) -> _Row | None:
        found = self._rows.get(key)
        if found and found.expires_at is not None and found.expires_at <= self._clock():
            self._forget(key)
            return None
        return found

    def _forget(self, key: str) -> None:
        self._rows.pop(key, None)
        for group in groups(key):
            members = self._groups.get(group, set())
            members.discard(key)
            if not members:
                self._groups.pop(group, None)

    def _sweep(self) -> None:
        """Delete expired rows, so that rows which nobody reads again do not accumulate."""
        now = self._clock()
        if (
            len(self._expiries) > 2 * len(self._rows) + 1000
        ):  # most entries are outdated: their rows have another expiry by now
            self._expiries = [(row.expires_at, key) for key, row in self._rows.items() if row.expires_at is not None]
            heapq.heapify(self._expiries)
        while self._expiries and self._expiries[0][0] <= now:
            self._live(heapq.heappop(self._expiries)[1])
