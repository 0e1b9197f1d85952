"""A store that wraps another one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from pipeline.state import Store
from pipeline.state.change import RowChange
from pipeline.state.encoding import Fields
from pipeline.state.store import Committed, UnitRecord

Result = TypeVar("Result")


class WrappedStore(Store):
    """Forwards every call to another store, by way of `_forward`. The other store stays open."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @abstractmethod
    async def _forward(self, call: Coroutine[Any, Any, Result]) -> Result:
        """Return the result of a call of the other store that has not started yet."""

    async def row(self, key: str) -> Fields | None:
        """Return all fields of the row; None if there is no row."""
        return await self._forward(self._store.row(key))

    async def field(self, key: str, name: str) -> bytes | None:
        """Return one field; None if there is none."""
        return await self._forward(self._store.field(key, name))

    async def exists(self, key: str) -> bool:
        """Return True if the row exists."""
        return await self._forward(self._store.exists(key))

    async def ttl(self, key: str) -> int:
        """Return the seconds left; `NO_EXPIRY` for a row that never expires, `MISSING` if there is none."""
        return await self._forward(self._store.ttl(key))

    async def recorded(self, key: str) -> bytes | None:
        """Return the content of the `UnitRecord` under `key`; None if there is none."""
        return await self._forward(self._store.recorded(key))

    async def keys(self, group: str) -> list[str]:
        """Return the names of a group's rows, sorted."""
        return await self._forward(self._store.keys(group))

    async def commit(self, changes: Sequence[RowChange], record: UnitRecord | None = None) -> Committed:
        """Apply all changes and store the record in one step, as `Store.commit` says."""
        return await self._forward(self._store.commit(changes, record))

    async def ping(self) -> None:
        """Return at once."""

    async def close(self) -> None:
        """Do nothing: the other store stays open."""
