"""Tables whose rows are pydantic models, and tables that can be made stale as a whole."""

from __future__ import annotations

from typing import Generic

from pipeline.state.base import Data, Model
from pipeline.state.caches import TableCache
from pipeline.state.transitions import TableTransitionResult


class TypedTableCache(Generic[Model]):
    """One table of rows of one model.

    Args:
        default_ttl: seconds, for writes that name none; None for rows that stay.
        cache_space: goes before the table's name, where several parts of an application use the same one.
    """

    def __init__(
        self,
        cache: TableCache,
        table_name: str,
        model: type[Model],
        default_ttl: int | None = None,
        cache_space: str | None = None,
    ) -> None:
        self._cache = cache
        self._name = f"{cache_space}.{table_name}" if cache_space else table_name
        self._model = model
        self._ttl = default_ttl

    async def get(self, pkid: str) -> Model | None:
        """The row; pydantic's `ValidationError` where it does not fit the model (any more)."""
        row: Model | None = await self._cache.get(await self._table(), pkid, models=self._model)
        return row

    async def upsert(self, pkid: str, data: Model, ttl: int | None = None) -> bool:
        """Makes the row `data`. True."""
        return await self._cache.upsert(await self._table(), pkid, self._row(data), ttl=ttl or self._ttl)

    async def delete(self, pkid: str) -> int:
        return int(await self._cache.delete(await self._table(), pkid))

    async def exists(self, pkid: str) -> bool:
        return await self._cache.exists(await self._table(), pkid)

    async def get_all(self) -> list[Model]:
        return await self._cache.get_all(await self._table(), self._model)

    async def list_pkids(self) -> list[str]:
        return await self._cache.list_pkids(await self._table())

    async def delete_table(self) -> int:
        """How many rows there were."""
        return await self._cache.delete_table(await self._table())

    async def create_if_absent(self, pkid: str, data: Model, ttl: int | None = None) -> TableTransitionResult:
        return await self._cache.create_if_absent(await self._table(), pkid, self._row(data), ttl or self._ttl)

    async def replace_if(self, pkid: str, data: Model, expected: Data, ttl: int | None = None) -> TableTransitionResult:
        return await self._cache.replace_if(await self._table(), pkid, self._row(data), expected, ttl or self._ttl)

    async def _table(self) -> str:
        return self._name

    def _row(self, data: Model) -> Model:
        if not isinstance(data, self._model):
            raise TypeError(f"a row of {self._name} is a {self._model.__name__}, not {type(data).__name__}")
        return data


_VERSIONS = "versions"


class VersionedTableCache(TypedTableCache[Model]):
    """A table with a version: rows of an earlier version are not seen any more. For what can be built anew."""

    async def current_version(self) -> int:
        """From 0."""
        return await self._cache.get_field(_VERSIONS, self._name, "version") or 0

    async def bump_version(self) -> int:
        """Makes every row stale, for all workers at once, and deletes them. The new version."""
        await self.delete_table()
        version = await self._cache.increment_field(_VERSIONS, self._name, "version")
        assert version is not None, "nobody else writes there"
        return version

    async def _table(self) -> str:
        return f"{self._name}.v{await self.current_version()}"
