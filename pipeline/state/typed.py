"""Tables whose rows are pydantic models, and tables that can be made stale as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Generic

from pipeline.state.base import Data, Model
from pipeline.state.caches import TableCache
from pipeline.state.transitions import TableRowTransition, TableTransitionResult


@dataclass(frozen=True, slots=True)
class TypedRowTransition(Generic[Model]):
    """A `TableTransitionResult` whose row is a model."""

    transition: TableRowTransition
    row: Model | None = None

    @property
    def written(self) -> bool:
        return TableTransitionResult(self.transition, None).written


class TypedTableCache(Generic[Model]):
    """One table of rows of one model. Raises pydantic's `ValidationError` for what does not fit it (any more).

    Args:
        default_ttl: seconds, for calls that name none; None for rows that stay.
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
        if cache_space is not None and ":" in cache_space:
            raise ValueError(f"a cache space has no colon, unlike {cache_space!r}")
        self.cache = cache
        self.table_name = f"{cache_space}:{table_name}" if cache_space else table_name
        self.model = model
        self.default_ttl = default_ttl

    async def get(self, pkid: str) -> Model | None:
        row: Model | None = await self.cache.get(await self.current_table_name(), pkid, models=self.model)
        return row

    async def upsert(self, pkid: str, data: Model | dict[str, Any], ttl: int | None = None) -> bool:
        """Makes the row `data`. True."""
        return await self.cache.upsert(await self.current_table_name(), pkid, self._row(data), ttl=self._ttl(ttl))

    async def update_field(self, pkid: str, field: str, value: Any, ttl: int | None = None) -> bool:
        """Sets one field; whether the row still fits the model shows when it is read."""
        return await self.cache.update_field(await self.current_table_name(), pkid, field, value, ttl=self._ttl(ttl))

    async def renew_ttl(self, pkid: str, ttl: int | None = None) -> bool:
        """Whether there is such a row. Raises `ValueError` where neither `ttl` nor a default is given."""
        seconds = self._ttl(ttl)
        if seconds is None:
            raise ValueError("renew_ttl needs a ttl, or the table a default_ttl")
        return await self.cache.renew_ttl(await self.current_table_name(), pkid, ttl=seconds)

    async def delete(self, pkid: str) -> int:
        return int(await self.cache.delete(await self.current_table_name(), pkid))

    async def exists(self, pkid: str) -> bool:
        return await self.cache.exists(await self.current_table_name(), pkid)

    async def get_all(self) -> list[Model]:
        return await self.cache.get_all(await self.current_table_name(), self.model)

    async def list_pkids(self) -> list[str]:
        return await self.cache.list_pkids(await self.current_table_name())

    async def delete_table(self) -> int:
        """How many rows there were."""
        return await self.cache.delete_table(await self.current_table_name())

    async def create_if_absent(
        self, pkid: str, data: Model | dict[str, Any], ttl: int | None = None
    ) -> TypedRowTransition[Model]:
        name = await self.current_table_name()
        return self._typed(await self.cache.create_if_absent(name, pkid, self._row(data), self._ttl(ttl)))

    async def replace_if(
        self, pkid: str, data: Model | dict[str, Any], expected: Data, ttl: int | None = None
    ) -> TypedRowTransition[Model]:
        name = await self.current_table_name()
        return self._typed(await self.cache.replace_if(name, pkid, self._row(data), expected, self._ttl(ttl)))

    async def current_table_name(self) -> str:
        """Where the rows are: what a `TableCache` takes as `table_name`."""
        return self.table_name

    def _row(self, data: Model | dict[str, Any]) -> Model:
        return data if isinstance(data, self.model) else self.model.model_validate(data)

    def _typed(self, result: TableTransitionResult) -> TypedRowTransition[Model]:
        return TypedRowTransition(result.transition, None if result.row is None else self._row(result.row))

    def _ttl(self, ttl: int | None) -> int | None:
        return self.default_ttl if ttl is None else ttl


_VERSIONS: Final = "versions"
_FIRST: Final = 1


class VersionedTableCache(TypedTableCache[Model]):
    """A table with a version: rows of an earlier version are not seen any more. For what can be built anew.

    Give it a `default_ttl`: a row that is written under a version which ends at that moment is left to expire.
    """

    async def current_version(self) -> int:
        """From 1."""
        return _FIRST + (await self.cache.get_field(_VERSIONS, self.table_name, "bumps") or 0)

    async def bump_version(self) -> int:
        """Makes every row stale, for all workers at once, and deletes them. The new version."""
        await self.delete_table()
        bumps = await self.cache.increment_field(_VERSIONS, self.table_name, "bumps")
        assert bumps is not None, "nobody else writes there"
        return _FIRST + bumps

    async def current_table_name(self) -> str:
        return f"{self.table_name}@v{await self.current_version()}"
