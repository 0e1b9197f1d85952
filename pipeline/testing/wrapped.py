"""A store around another one."""

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
    """Passes on all that is asked of it, by way of `_ask`. The other store outlives it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @abstractmethod
    async def _forward(self, asked: Coroutine[Any, Any, Result]) -> Result:
        """The result of what was asked of the other store and has not begun."""

    async def row(self, key: str) -> Fields | None:
        return await self._forward(self._store.row(key))

    async def field(self, key: str, name: str) -> bytes | None:
        return await self._forward(self._store.field(key, name))

    async def exists(self, key: str) -> bool:
        return await self._forward(self._store.exists(key))

    async def ttl(self, key: str) -> int:
        return await self._forward(self._store.ttl(key))

    async def recorded(self, key: str) -> bytes | None:
        return await self._forward(self._store.recorded(key))

    async def keys(self, group: str) -> list[str]:
        return await self._forward(self._store.keys(group))

    async def commit(self, changes: Sequence[RowChange], record: UnitRecord | None = None) -> Committed:
        return await self._forward(self._store.commit(changes, record))

    async def ping(self) -> None:
        """Always there."""

    async def close(self) -> None:
        """The other store stays open."""
