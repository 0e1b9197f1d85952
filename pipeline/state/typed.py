"""Tables whose rows are pydantic models, and tables that can be invalidated as a whole."""

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
        """True if this call wrote the row."""
        return TableTransitionResult(self.transition, None).written


class TypedTableCache(Generic[Model]):
    """One table with rows of one model. Raises pydantic's `ValidationError` for a row that does not fit (any more).

    Args:
        cache: the tenant's tables.
        table_name: the table.
        model: the model of its rows.
        default_ttl: seconds, for calls without ttl; None for rows that never expire.
        cache_space: a prefix of the table's name, if several parts of an application use the same one.
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
        """Return the row; None if there is none."""
        row: Model | None = await self.cache.get(await self.current_table_name(), pkid, models=self.model)
        return row

    async def upsert(self, pkid: str, data: Model | dict[str, Any], ttl: int | None = None) -> bool:
        """Replace the row and return True."""
        return await self.cache.upsert(await self.current_table_name(), pkid, self._row(data), ttl=self._ttl(ttl))

    async def update_field(self, pkid: str, field: str, value: Any, ttl: int | None = None) -> bool:
        """Set one field and return True. The model is checked when the row is read."""
        return await self.cache.update_field(await self.current_table_name(), pkid, field, value, ttl=self._ttl(ttl))

    async def renew_ttl(self, pkid: str, ttl: int | None = None) -> bool:
        """Let the row expire and return True; False if there is no row.

        Raises `ValueError` without `ttl` and default.
        """
        seconds = self._ttl(ttl)
        if seconds is None:
            raise ValueError("renew_ttl needs a ttl, or the table a default_ttl")
        return await self.cache.renew_ttl(await self.current_table_name(), pkid, ttl=seconds)

    async def delete(self, pkid: str) -> int:
        """Delete the row. Return 1 if it existed, else 0."""
        return int(await self.cache.delete(await self.current_table_name(), pkid))

    async def exists(self, pkid: str) -> bool:
        """Return True if the row exists."""
        return await self.cache.exists(await self.current_table_name(), pkid)

    async def get_all(self) -> list[Model]:
        """Return all rows, by primary key."""
        return await self.cache.get_all(await self.current_table_name(), self.model)

    async def list_pkids(self) -> list[str]:
        """Return the primary keys, sorted."""
        return await self.cache.list_pkids(await self.current_table_name())

    async def delete_table(self) -> int:
        """Delete all rows and return how many there were."""
        return await self.cache.delete_table(await self.current_table_name())

    async def create_if_absent(
        self, pkid: str, data: Model | dict[str, Any], ttl: int | None = None
    ) -> TypedRowTransition[Model]:
        """Create the row if there is none. The transition is `created` or `already_exists`."""
        name = await self.current_table_name()
        return self._typed(await self.cache.create_if_absent(name, pkid, self._row(data), self._ttl(ttl)))

    async def replace_if(
        self, pkid: str, data: Model | dict[str, Any], expected: Data, ttl: int | None = None
    ) -> TypedRowTransition[Model]:
        """Replace the row if its fields are as in `expected`: `replaced`, `condition_not_met` or `missing`."""
        name = await self.current_table_name()
        return self._typed(await self.cache.replace_if(name, pkid, self._row(data), expected, self._ttl(ttl)))

    async def current_table_name(self) -> str:
        """Return the name of the table in the `TableCache`."""
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
    """A table with a version, for rows that can be built again: rows of an earlier version are not visible.

    Give it a `default_ttl`: a row that is written while its version ends is only removed by its expiry.
    """

    async def current_version(self) -> int:
        """Return the version, from 1."""
        return _FIRST + (await self.cache.get_field(_VERSIONS, self.table_name, "bumps") or 0)

    async def bump_version(self) -> int:
        """Invalidate and delete all rows, for all workers at once, and return the new version."""
        await self.delete_table()
        bumps = await self.cache.increment_field(_VERSIONS, self.table_name, "bumps")
        assert bumps is not None, "nobody else writes there"
        return _FIRST + bumps

    async def current_table_name(self) -> str:
        """Return the name of the current version's table in the `TableCache`."""
        return f"{self.table_name}@v{await self.current_version()}"
