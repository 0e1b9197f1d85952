"""The cache of a tenant's tables."""

from __future__ import annotations

import asyncio
from typing import Any, overload

from pipeline.state.base import Data, Model, Row
from pipeline.state.cache import seconds
from pipeline.state.caches.bulk import find_first, remove_all
from pipeline.state.call_styles import AnyCallStyle, Arguments, Call, Named, normalize_table_call
from pipeline.state.encoding import decode_row, encode_row
from pipeline.state.keys import group, owner_and_key, row_id, table_key
from pipeline.state.rows import RowLocation
from pipeline.state.transitions import TableRowTransition, TableTransitionResult, agrees


class TableCache(AnyCallStyle):
    """Rows that a tenant's conversations share, by key (Wappa 0.1) or by table and primary key (0.31).

    The key of a row of a table is `create_table_key(table_name, pkid)`, so both styles of call reach the same row. Rows
    with any other key belong to no table.

    >>> await cache.upsert("orders", "17", {"item": "tea"})
    >>> await cache.get(cache.create_table_key("orders", "17"))

    Raises `Unavailable` while the store is away, `ValueError` for an empty key or a ttl below 1 second.
    """

    @overload
    async def get(self, key: str, models: None = None) -> Row | None: ...
    @overload
    async def get(self, key: str, models: type[Model]) -> Model | None: ...
    @overload
    async def get(self, table_name: str, pkid: str, models: None = None) -> Row | None: ...
    @overload
    async def get(self, table_name: str, pkid: str, models: type[Model]) -> Model | None: ...
    async def get(self, *args: Any, **named: Any) -> Any:
        """Return the row, as a model if you pass one; None if there is no row."""
        return await self._call("get", args, named)

    @overload
    async def upsert(self, key: str, data: Data, ttl: int | None = None) -> bool: ...
    @overload
    async def upsert(self, table_name: str, pkid: str, data: Data, ttl: int | None = None) -> bool: ...
    async def upsert(self, *args: Any, **named: Any) -> Any:
        """Replace the row and return True. Without `ttl` (seconds) the row never expires."""
        return await self._call("upsert", args, named)

    @overload
    async def delete(self, key: str) -> bool: ...
    @overload
    async def delete(self, table_name: str, pkid: str) -> bool: ...
    async def delete(self, *args: Any, **named: Any) -> Any:
        """Delete the row and return True if it existed."""
        return await self._call("delete", args, named)

    @overload
    async def exists(self, key: str) -> bool: ...
    @overload
    async def exists(self, table_name: str, pkid: str) -> bool: ...
    async def exists(self, *args: Any, **named: Any) -> Any:
        """Return True if the row exists."""
        return await self._call("exists", args, named)

    @overload
    async def get_field(self, key: str, field: str) -> Any: ...
    @overload
    async def get_field(self, table_name: str, pkid: str, field: str) -> Any: ...
    async def get_field(self, *args: Any, **named: Any) -> Any:
        """Return the value of one field; None if there is none."""
        return await self._call("get_field", args, named)

    @overload
    async def update_field(self, key: str, field: str, value: Any, ttl: int | None = None) -> bool: ...
    @overload
    async def update_field(
        self, table_name: str, pkid: str, field: str, value: Any, ttl: int | None = None
    ) -> bool: ...
    async def update_field(self, *args: Any, **named: Any) -> Any:
        """Set one field, creating the row if need be, and return True."""
        return await self._call("update_field", args, named)

    @overload
    async def delete_field(self, key: str, field: str) -> bool: ...
    @overload
    async def delete_field(self, table_name: str, pkid: str, field: str) -> bool: ...
    async def delete_field(self, *args: Any, **named: Any) -> Any:
        """Delete one field and return True if it existed."""
        return await self._call("delete_field", args, named)

    @overload
    async def increment_field(self, key: str, field: str, increment: int = 1, ttl: int | None = None) -> int | None: ...
    @overload
    async def increment_field(
        self, table_name: str, pkid: str, field: str, increment: int = 1, ttl: int | None = None
    ) -> int | None: ...
    async def increment_field(self, *args: Any, **named: Any) -> Any:
        """Add to an integer field and return its new value; None if the field is not an integer below 10¹⁵."""
        return await self._call("increment_field", args, named)

    @overload
    async def append_to_list(self, key: str, field: str, value: Any, ttl: int | None = None) -> bool: ...
    @overload
    async def append_to_list(
        self, table_name: str, pkid: str, field: str, value: Any, ttl: int | None = None
    ) -> bool: ...
    async def append_to_list(self, *args: Any, **named: Any) -> Any:
        """Append to a list field and return True; False if the field is not a list."""
        return await self._call("append_to_list", args, named)

    @overload
    async def get_ttl(self, key: str) -> int: ...
    @overload
    async def get_ttl(self, table_name: str, pkid: str) -> int: ...
    async def get_ttl(self, *args: Any, **named: Any) -> Any:
        """Return the seconds left; -1 for a row that never expires, -2 if there is no row."""
        return await self._call("get_ttl", args, named)

    @overload
    async def renew_ttl(self, key: str, ttl: int) -> bool: ...
    @overload
    async def renew_ttl(self, table_name: str, pkid: str, ttl: int) -> bool: ...
    async def renew_ttl(self, *args: Any, **named: Any) -> Any:
        """Let the row expire in `ttl` seconds and return True; False if there is no row."""
        return await self._call("renew_ttl", args, named)

    @overload
    async def set(self, key: str, data: Data, ttl: int | None = None) -> bool: ...
    @overload
    async def set(self, *, table_name: str, pkid: str, data: Data, ttl: int | None = None) -> bool: ...
    async def set(self, *args: Any, **named: Any) -> Any:
        """Replace the row and return True. Without `ttl` (seconds) the row never expires."""
        return await self._call("set", args, named)

    @overload
    async def set_field(self, key: str, field: str, value: Any, ttl: int | None = None) -> bool: ...
    @overload
    async def set_field(
        self, *, table_name: str, pkid: str, field: str, value: Any, ttl: int | None = None
    ) -> bool: ...
    async def set_field(self, *args: Any, **named: Any) -> Any:
        """Set one field, creating the row if need be, and return True."""
        return await self._call("set_field", args, named)

    @overload
    async def set_ttl(self, key: str, ttl: int) -> bool: ...
    @overload
    async def set_ttl(self, *, table_name: str, pkid: str, ttl: int) -> bool: ...
    async def set_ttl(self, *args: Any, **named: Any) -> Any:
        """Let the row expire in `ttl` seconds and return True; False if there is no row."""
        return await self._call("set_ttl", args, named)

    async def create_if_absent(
        self, table_name: str, pkid: str, data: Data, ttl: int | None = None
    ) -> TableTransitionResult:
        """Create the row if there is none. The transition is `created` or `already_exists`."""
        rows, name = self._locate(row_id(table_name, pkid))
        after = encode_row(data)
        while True:
            if (before := await rows.row(name)) is not None:
                return TableTransitionResult(TableRowTransition.ALREADY_EXISTS, decode_row(before))
            if await rows.swap(name, None, after, seconds(ttl)):
                return TableTransitionResult(TableRowTransition.CREATED)

    async def replace_if(
        self, table_name: str, pkid: str, data: Data, expected: Data, ttl: int | None = None
    ) -> TableTransitionResult:
        """Replace the row if its fields are as in `expected`: `replaced`, `condition_not_met` or `missing`."""
        rows, name = self._locate(row_id(table_name, pkid))
        after, wanted = encode_row(data), encode_row(expected)
        while True:
            before = await rows.row(name)
            if before is None:
                return TableTransitionResult(TableRowTransition.MISSING)
            if not agrees(before, wanted):
                return TableTransitionResult(TableRowTransition.CONDITION_NOT_MET, decode_row(before))
            if await rows.swap(name, before, after, seconds(ttl)):
                return TableTransitionResult(TableRowTransition.REPLACED)

    @overload
    async def get_all(self, table_name: str, models: None = None) -> list[Row]: ...
    @overload
    async def get_all(self, table_name: str, models: type[Model]) -> list[Model]: ...
    async def get_all(self, table_name: str, models: type[Model] | None = None) -> list[Row] | list[Model]:
        """Return the rows of a table by primary key, as models if you pass one."""
        rows = self._binding.scope().rows
        found = await asyncio.gather(*(rows.row(name) for name in await self._names(table_name)))
        decoded = [decode_row(fields) for fields in found if fields is not None]
        return decoded if models is None else [models.model_validate(row) for row in decoded]

    async def list_pkids(self, table_name: str) -> list[str]:
        """Return the primary keys of a table's rows, sorted."""
        return [owner_and_key(name)[1] for name in await self._names(table_name)]

    async def delete_table(self, table_name: str) -> int:
        """Delete the rows of a table and return how many there were."""
        return await remove_all(self._binding.scope().rows, await self._names(table_name))

    async def delete_all_by_pkid(self, pkid: str) -> int:
        """Delete the rows with this primary key from every table and return how many there were.

        It lists the rows of all tables.
        """
        scope = self._binding.scope()
        names = await scope.rows.keys(group(scope.tenant_id, "table"))
        return await remove_all(scope.rows, [name for name in names if owner_and_key(name)[1] == pkid])

    @overload
    async def find_by_field(self, table: str, field: str, value: object, models: None = None) -> Row | None: ...
    @overload
    async def find_by_field(self, table: str, field: str, value: object, models: type[Model]) -> Model | None: ...
    async def find_by_field(
        self, table: str, field: str, value: object, models: type[Model] | None = None
    ) -> Row | Model | None:
        """Return the first row of a table whose `field` equals `value`; None if none does. It reads the whole table."""
        return await find_first(self._binding.scope().rows, await self._names(table), field, value, models)

    async def _names(self, table_name: str) -> list[str]:
        scope = self._binding.scope()
        return await scope.rows.keys(group(scope.tenant_id, "table", table_name))

    def _locate(self, key: str) -> RowLocation:
        scope = self._binding.scope()
        return RowLocation(scope.rows, table_key(scope.tenant_id, key))

    def _normalize(self, method: str, args: Arguments, named: Named) -> Call:
        return normalize_table_call(method, args, named)
