"""One event's view of a store: its own buffered writes over rows as they were first read."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, TypeVar

from pipeline.errors import NoActiveEvent, Unavailable
from pipeline.state.change import RowChange
from pipeline.state.encoding import Fields, integer, is_list
from pipeline.state.keys import groups
from pipeline.state.rows import MISSING, NO_EXPIRY
from pipeline.state.store import Store

T = TypeVar("T")

FINISHED: Final = "this event is finished: await everything that a hook starts before the hook returns"


class BufferedRows:
    """Rows whose writes wait for a commit (`rows.Rows`).

    A row is read once, as a whole, and stays as it was read, so keep rows small. A counter that other conversations
    increment too is returned as this event sees it; the commit applies the increment, so none is lost. A row that a
    handler read and then wrote must still be as it was read at the commit (`Conflict` otherwise), so no other's write
    is lost either.

    Attributes:
        failure: set once the store was away. The event's reads are then incomplete, and nothing may be committed, even
            if the handler caught the error and went on.
        closed: set when the event is finished. A later write would be lost, so it raises `NoActiveEvent`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, Fields | None] = {}
        self._known: set[str] = set()
        self._changes: dict[str, RowChange] = {}
        self.failure: Unavailable | None = None
        self.closed = False

    @property
    def changes(self) -> list[RowChange]:
        """The buffered changes, one per row."""
        return list(self._changes.values())

    @property
    def preconditions(self) -> list[str]:
        """The rows that must still be as they were read."""
        return [key for key, change in self._changes.items() if change.expects or change.size is not None]

    async def row(self, key: str) -> Fields | None:
        """Return all fields of the row; None if there is no row."""
        await self._load(key)
        self._known.add(key)
        return self._seen(key)

    async def field(self, key: str, name: str) -> bytes | None:
        """Return one field; None if there is none."""
        return (await self.row(key) or {}).get(name)

    async def exists(self, key: str) -> bool:
        """Return True if the row exists."""
        return await self.row(key) is not None

    async def ttl(self, key: str) -> int:
        """Return the seconds left; `NO_EXPIRY` for a row that never expires, `MISSING` if there is none."""
        if not await self.exists(key):
            return MISSING
        change = self._changes.get(key)
        if change and change.ttl is not None:
            return change.ttl
        if (change and change.remove) or self._read[key] is None:
            return NO_EXPIRY
        return await self._ask(self._store.ttl(key))

    async def replace(self, key: str, fields: Fields, ttl: int | None) -> None:
        """Make the row exactly these fields. Without ttl it never expires."""
        self._put(RowChange(key, remove=True, sets=dict(fields), ttl=ttl))

    async def put(self, key: str, name: str, value: bytes, ttl: int | None) -> None:
        """Set one field and keep the others."""
        self._expecting(key, name, ttl).set_field(name, value)

    async def merge(self, key: str, fields: Fields, ttl: int | None) -> None:
        """Set these fields and keep the others."""
        for name, value in fields.items():
            await self.put(key, name, value, ttl)

    async def increment(self, key: str, name: str, by: int, ttl: int | None) -> int | None:
        """Add to a counter and return its new value; None, with nothing changed, if the field is not a counter."""
        await self._load(key)
        current = integer((self._seen(key) or {}).get(name))
        if current is None:
            return None
        self._change(key, ttl).increment(name, by)
        return current + by

    async def append(self, key: str, name: str, item: bytes, ttl: int | None) -> bool:
        """Append to a list and return True; False, with nothing changed, if the field is not a list."""
        await self._load(key)
        if not is_list((self._seen(key) or {}).get(name)):
            return False
        self._change(key, ttl).append(name, item)
        return True

    async def drop(self, key: str, name: str) -> bool:
        """Delete a field and return True if it existed. A row without fields stays a row."""
        if await self.field(key, name) is None:
            return False
        self._expecting(key, name, None).drop(name)
        return True

    async def swap(self, key: str, before: Fields | None, after: Fields, ttl: int | None) -> bool:
        """Replace the row and return True if it is exactly `before` (None: if there is none); False otherwise."""
        if await self.row(key) != before:
            return False
        await self.replace(key, after, ttl)
        return True

    async def keys(self, group: str) -> list[str]:
        """Return the names of a group's rows, sorted, with this event's own."""
        found = set(await self._ask(self._store.keys(group)))
        mine = [key for key in self._changes if group in groups(key)]
        for key in mine:
            await self._load(key)
            (found.discard if self._seen(key) is None else found.add)(key)
        return sorted(found)

    async def remove(self, key: str) -> bool:
        """Delete the row and return True if it existed."""
        existed = await self.exists(key)
        self._put(RowChange(key, remove=True))
        return existed

    async def expire(self, key: str, ttl: int) -> bool:
        """Let the row expire in `ttl` seconds and return True; False if there is no row."""
        if not await self.exists(key):
            return False
        self._change(key, ttl)
        return True

    def _seen(self, key: str) -> Fields | None:
        base, change = self._read.get(key), self._changes.get(key)
        return change.apply_to(base) if change else base and dict(base)

    def _change(self, key: str, ttl: int | None) -> RowChange:
        change = self._changes.get(key) or self._put(RowChange(key))
        if ttl is not None:
            change.ttl = ttl
        return change

    def _expecting(self, key: str, name: str, ttl: int | None) -> RowChange:
        """Return the change of a row, with the precondition that the field is as the handler read it."""
        change = self._change(key, ttl)
        if key in self._known and key in self._read:
            change.expect_field(name, (self._read[key] or {}).get(name))
        return change

    def _put(self, change: RowChange) -> RowChange:
        if self.closed:
            raise NoActiveEvent(FINISHED)
        if before := self._changes.get(change.key):
            change.expect_as(before)
        if change.remove and change.key in self._known and change.key in self._read:
            change.expect_row(self._read[change.key])
        self._changes[change.key] = change
        return change

    async def _load(self, key: str) -> None:
        """Read the row, unless this event's own reads and writes determine it."""
        if key in self._read or (key in self._changes and self._changes[key].remove):
            return
        row = await self._ask(self._store.row(key))
        self._read.setdefault(key, row)

    async def _ask(self, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except Unavailable as error:
            self.failure = error
            raise
