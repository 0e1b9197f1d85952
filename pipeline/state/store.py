"""The contract of a backend that holds rows, and the operations that all backends share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.errors import Conflict
from pipeline.state.change import RowChange
from pipeline.state.encoding import Fields


class UnitRecord(NamedTuple):
    """The record of a finished event: its commands.

    Attributes:
        key: its full name (`keys.unit_key`).
        content: the commands, as `pipeline.handlers.unit_of_work` writes them.
        ttl: seconds until it expires.
        replaces: the content of an existing record that this one may replace; by default it replaces none.
    """

    key: str
    content: bytes
    ttl: int
    replaces: bytes = b""


class Applied(NamedTuple):
    """The result of one change.

    Attributes:
        existed: True if the row existed before.
        counters: the new values of the incremented fields, in order.
        dropped: the number of fields deleted.
    """

    existed: bool
    counters: Sequence[int]
    dropped: int = 0


class Committed(NamedTuple):
    """The result of a commit. `recorded` is set, and nothing was applied, if the event was finished before."""

    applied: Sequence[Applied]
    recorded: bytes | None = None


class Store(ABC):
    """A backend. `commit` is its only way of writing: all of it or nothing.

    Every method raises `Unavailable` while the backend is away.
    """

    @abstractmethod
    async def row(self, key: str) -> Fields | None:
        """Return all fields of the row; None if there is no row."""

    @abstractmethod
    async def field(self, key: str, name: str) -> bytes | None:
        """Return one field; None if there is none."""

    @abstractmethod
    async def exists(self, key: str) -> bool:
        """Return True if the row exists."""

    @abstractmethod
    async def ttl(self, key: str) -> int:
        """Return the seconds left; `NO_EXPIRY` for a row that never expires, `MISSING` if there is none."""

    @abstractmethod
    async def recorded(self, key: str) -> bytes | None:
        """Return the content of the `UnitRecord` under `key`; None if there is none."""

    @abstractmethod
    async def commit(self, changes: Sequence[RowChange], record: UnitRecord | None = None) -> Committed:
        """Apply all changes and store the record in one atomic step. All keys must belong to one tenant.

        If the record exists already, nothing is applied and its content is returned, unless it is the content that the
        new record replaces. Raises `Conflict`, with nothing applied, if a field to be incremented is no counter, a
        field to be appended to is no list, or a row is not as expected.
        """

    async def expire_records(self, keys: Sequence[str], ttl: int) -> None:
        """Let the records of one tenant under these keys expire in `ttl` seconds. Missing ones are skipped."""
        await self.commit([RowChange(key, ttl=ttl) for key in keys])

    @abstractmethod
    async def keys(self, group: str) -> list[str]:
        """Return the names of a group's rows (`keys.groups`), sorted. The cost grows with the group."""

    @abstractmethod
    async def ping(self) -> None:
        """Return when the backend answers."""

    @abstractmethod
    async def close(self) -> None:
        """Close all connections."""

    async def replace(self, key: str, fields: Fields, ttl: int | None) -> None:
        """Make the row exactly these fields. Without ttl it never expires."""
        await self._apply(RowChange(key, remove=True, sets=fields, ttl=ttl))

    async def put(self, key: str, name: str, value: bytes, ttl: int | None) -> None:
        """Set one field and keep the others."""
        await self.merge(key, {name: value}, ttl)

    async def merge(self, key: str, fields: Fields, ttl: int | None) -> None:
        """Set these fields and keep the others."""
        await self._apply(RowChange(key, sets=fields, ttl=ttl))

    async def increment(self, key: str, name: str, by: int, ttl: int | None) -> int | None:
        """Add to a counter and return its new value; None, with nothing changed, if the field is not a counter."""
        try:
            return (await self._apply(RowChange(key, increments={name: by}, ttl=ttl))).counters[0]
        except Conflict:
            return None

    async def append(self, key: str, name: str, item: bytes, ttl: int | None) -> bool:
        """Append to a list and return True; False, with nothing changed, if the field is not a list."""
        try:
            await self._apply(RowChange(key, appends={name: [item]}, ttl=ttl))
        except Conflict:
            return False
        return True

    async def drop(self, key: str, name: str) -> bool:
        """Delete a field and return True if it existed. A row without fields stays a row."""
        return bool((await self._apply(RowChange(key, drops={name}))).dropped)

    async def swap(self, key: str, before: Fields | None, after: Fields, ttl: int | None) -> bool:
        """Replace the row and return True if it is exactly `before` (None: if there is none); False otherwise."""
        change = RowChange(key, remove=True, sets=after, ttl=ttl)
        change.expect_row(before)
        try:
            await self._apply(change)
        except Conflict:
            return False
        return True

    async def remove(self, key: str) -> bool:
        """Delete the row and return True if it existed."""
        return (await self._apply(RowChange(key, remove=True))).existed

    async def expire(self, key: str, ttl: int) -> bool:
        """Let the row expire in `ttl` seconds and return True; False if there is no row."""
        return (await self._apply(RowChange(key, ttl=ttl))).existed

    async def _apply(self, change: RowChange) -> Applied:
        return (await self.commit((change,))).applied[0]


def applied(change: RowChange, before: Fields | None, after: Fields | None) -> Applied:
    """Return the result of a change, for backends that don't report it themselves."""
    counters = [int(after[name]) for name in change.increments] if after else []
    return Applied(before is not None, counters, len(change.dropped(before or {})))
