"""Where rows live: what every backend can do, and what all of them do alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from pipeline.errors import Conflict
from pipeline.state.change import RowChange
from pipeline.state.encoding import Fields

NO_EXPIRY = -1
MISSING = -2


class Rows(Protocol):
    """Rows that caches read and write: a store itself, or what one event sees of it (`buffer.BufferedRows`).

    Keys are full names (`keys`), values JSON (`encoding`), ttl whole seconds. What is returned is the caller's own.
    """

    async def row(self, key: str) -> Fields | None: ...
    async def field(self, key: str, name: str) -> bytes | None: ...
    async def exists(self, key: str) -> bool: ...
    async def ttl(self, key: str) -> int:
        """Seconds left; `NO_EXPIRY` for a row that stays, `MISSING` for none."""

    async def replace(self, key: str, fields: Fields, ttl: int | None) -> None:
        """Makes the row exactly this. Without ttl it never expires."""

    async def put(self, key: str, name: str, value: bytes, ttl: int | None) -> None: ...
    async def merge(self, key: str, fields: Fields, ttl: int | None) -> None:
        """Sets these fields and leaves the others."""

    async def increment(self, key: str, name: str, by: int, ttl: int | None) -> int | None:
        """The new value, or None, with nothing changed, where the field is no counter."""

    async def append(self, key: str, name: str, item: bytes, ttl: int | None) -> bool:
        """Whether it was appended: not where the field is no list."""

    async def drop(self, key: str, name: str) -> bool:
        """Forgets a field. Whether it was there. A row without fields stays a row."""

    async def remove(self, key: str) -> bool:
        """Whether there was such a row."""

    async def expire(self, key: str, ttl: int) -> bool:
        """Whether there is such a row."""

    async def swap(self, key: str, before: Fields | None, after: Fields, ttl: int | None) -> bool:
        """`replace`, if the row is exactly `before` (None: if there is none). Whether it was."""

    async def keys(self, group: str) -> list[str]:
        """The rows of a group (`keys.groups`), sorted. Costs as much as the group is large."""


class UnitRecord(NamedTuple):
    """What is remembered of a finished event: its commands.

    Attributes:
        ttl: seconds.
        replaces: the content of a record in whose place this one may come; by default it takes nobody's place.
    """

    key: str
    content: bytes
    ttl: int
    replaces: bytes = b""


class Applied(NamedTuple):
    """What one change found and left: was the row there, its incremented fields' values in order, fields dropped."""

    existed: bool
    counters: Sequence[int]
    dropped: int = 0


class Committed(NamedTuple):
    """The result of a commit. `recorded` is set, and nothing was applied, where the event was finished before."""

    applied: Sequence[Applied]
    recorded: bytes | None = None


class Store(ABC):
    """A backend. `commit` is its one way of writing: all of it or nothing.

    Raises `Unavailable` from every method while the backend is away.
    """

    @abstractmethod
    async def row(self, key: str) -> Fields | None: ...

    @abstractmethod
    async def field(self, key: str, name: str) -> bytes | None: ...

    @abstractmethod
    async def exists(self, key: str) -> bool: ...

    @abstractmethod
    async def ttl(self, key: str) -> int: ...

    @abstractmethod
    async def recorded(self, key: str) -> bytes | None:
        """The content of a `UnitRecord`, if there is one under `key`."""

    @abstractmethod
    async def commit(self, changes: Sequence[RowChange], record: UnitRecord | None = None) -> Committed:
        """Applies all changes and stores the record in one atomic step. With more than one key all are one tenant's.

        Where the record exists already, nothing is applied and its content is returned, save where it is what the new
        one replaces. Raises `Conflict`, and
        applies nothing, where a field to be incremented or appended to is something else, or a row is not as expected.
        """

    async def expire_records(self, keys: Sequence[str], ttl: int) -> None:
        """Lets the records of one tenant under these keys, where they are, expire in `ttl` seconds."""
        await self.commit([RowChange(key, ttl=ttl) for key in keys])

    @abstractmethod
    async def keys(self, group: str) -> list[str]: ...

    @abstractmethod
    async def ping(self) -> None:
        """Returns when the backend answers."""

    @abstractmethod
    async def close(self) -> None:
        """Lets connections go."""

    async def replace(self, key: str, fields: Fields, ttl: int | None) -> None:
        await self._apply(RowChange(key, remove=True, sets=fields, ttl=ttl))

    async def put(self, key: str, name: str, value: bytes, ttl: int | None) -> None:
        await self.merge(key, {name: value}, ttl)

    async def merge(self, key: str, fields: Fields, ttl: int | None) -> None:
        await self._apply(RowChange(key, sets=fields, ttl=ttl))

    async def increment(self, key: str, name: str, by: int, ttl: int | None) -> int | None:
        try:
            return (await self._apply(RowChange(key, increments={name: by}, ttl=ttl))).counters[0]
        except Conflict:
            return None

    async def append(self, key: str, name: str, item: bytes, ttl: int | None) -> bool:
        try:
            await self._apply(RowChange(key, appends={name: [item]}, ttl=ttl))
        except Conflict:
            return False
        return True

    async def drop(self, key: str, name: str) -> bool:
        return bool((await self._apply(RowChange(key, drops={name}))).dropped)

    async def swap(self, key: str, before: Fields | None, after: Fields, ttl: int | None) -> bool:
        change = RowChange(key, remove=True, sets=after, ttl=ttl)
        change.expect_row(before)
        try:
            await self._apply(change)
        except Conflict:
            return False
        return True

    async def remove(self, key: str) -> bool:
        return (await self._apply(RowChange(key, remove=True))).existed

    async def expire(self, key: str, ttl: int) -> bool:
        return (await self._apply(RowChange(key, ttl=ttl))).existed

    async def _apply(self, change: RowChange) -> Applied:
        return (await self.commit((change,))).applied[0]


def applied(change: RowChange, before: Fields | None, after: Fields | None) -> Applied:
    """What a change did, where the backend itself does not say."""
    counters = [int(after[name]) for name in change.increments] if after else []
    return Applied(before is not None, counters, len(change.dropped(before or {})))
