"""The caches that handlers are given. Each takes the signatures of both generations (`generations`)."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

from pipeline.state.base import Data, Model
from pipeline.state.cache import Cache, Place, positive, seconds, typed
from pipeline.state.encoding import EMPTY, FILLER, decode_row, encode_row
from pipeline.state.generations import Arguments, Call, Named, keyed, of_table, of_user
from pipeline.state.keys import (
    ai_state_key,
    expiry_key,
    group,
    owner_and_key,
    row_id,
    state_key,
    table_key,
    user_key,
)
from pipeline.state.scope import Ownership
from pipeline.state.store import Rows
from pipeline.state.transitions import TableRowTransition, TableTransitionResult, agrees


class _BothGenerations(Cache):
    """Takes every call as either generation makes it."""

    def __init__(self, ownership: Ownership) -> None:
        super().__init__(self._place)
        self._ownership = ownership

    @abstractmethod
    def _place(self, key: str) -> Place: ...

    @abstractmethod
    def _call(self, method: str, args: Arguments, named: Named) -> Call:
        """The call as generation 0.1 makes it."""

    async def get(self, *args: Any, **named: Any) -> Any:
        args, named = self._call("get", args, named)
        return await super().get(*args, **named)

    async def set(self, *args: Any, **named: Any) -> bool:
        args, named = self._call("set", args, named)
        return await super().set(*args, **named)

    async def upsert(self, *args: Any, **named: Any) -> bool:
        args, named = self._call("upsert", args, named)
        return await super().set(*args, **named)

    async def delete(self, *args: Any, **named: Any) -> bool:
        args, named = self._call("delete", args, named)
        return await super().delete(*args, **named)

    async def exists(self, *args: Any, **named: Any) -> bool:
        args, named = self._call("exists", args, named)
        return await super().exists(*args, **named)

    async def get_field(self, *args: Any, **named: Any) -> Any:
        args, named = self._call("get_field", args, named)
        return await super().get_field(*args, **named)

    async def set_field(self, *args: Any, **named: Any) -> bool:
        args, named = self._call("set_field", args, named)
        return await super().set_field(*args, **named)

    async def update_field(self, *args: Any, **named: Any) -> bool:
        args, named = self._call("update_field", args, named)
        return await super().set_field(*args, **named)

    async def delete_field(self, *args: Any, **named: Any) -> bool:
        args, named = self._call("delete_field", args, named)
        return await super().delete_field(*args, **named)

    async def increment_field(self, *args: Any, **named: Any) -> int | None:
        args, named = self._call("increment_field", args, named)
        return await super().increment_field(*args, **named)

    async def append_to_list(self, *args: Any, **named: Any) -> bool:
        args, named = self._call("append_to_list", args, named)
        return await super().append_to_list(*args, **named)

    async def get_ttl(self, *args: Any, **named: Any) -> int:
        args, named = self._call("get_ttl", args, named)
        return await super().get_ttl(*args, **named)

    async def set_ttl(self, *args: Any, **named: Any) -> bool:
        args, named = self._call("set_ttl", args, named)
        return await super().set_ttl(*args, **named)

    async def renew_ttl(self, *args: Any, **named: Any) -> bool:
        args, named = self._call("renew_ttl", args, named)
        return await super().set_ttl(*args, **named)


class UserCache(_BothGenerations):
    """One user's rows by key (0.1), and the one row that needs none (0.31): `upsert(data, ttl)`, `get()`."""

    async def find_by_field(self, field: str, value: object, models: type[Model] | None = None) -> Any:
        """The first row without a key, of any user of the tenant, whose `field` is `value`; None for none.

        It reads every such row: keep a table by that field where there are many users.
        """
        scope = self._ownership.now()
        return await _first(scope.rows, await scope.rows.keys(group(scope.tenant_id, "user")), field, value, models)

    def _place(self, key: str) -> Place:
        scope = self._ownership.now()
        return scope.rows, user_key(scope.tenant_id, scope.user_id or "", key)

    def _call(self, method: str, args: Arguments, named: Named) -> Call:
        return of_user(method, args, named)


class StateCache(_BothGenerations):
    """A conversation's states, by the name of the handler that keeps each: its key in both generations."""

    async def list_handlers(self, prefix: str | None = None) -> list[str]:
        """The names of the user's states, sorted."""
        return sorted(owner_and_key(name)[1] for name in await self._names(prefix or ""))

    async def delete_all_for_user(self) -> int:
        """How many states there were."""
        return await self.delete_by_handler_prefix("")

    async def delete_by_handler_prefix(self, prefix: str) -> int:
        return await _remove(self._ownership.now().rows, await self._names(prefix))

    async def list_users_with_handler(self, inbox_id: str | None, handler_name: str) -> list[str]:
        """The users of the tenant who have such a state, sorted. It looks at all users' states."""
        scope = self._ownership._replace(inbox_id=inbox_id).now()
        found = [owner_and_key(name) for name in await scope.rows.keys(group(scope.tenant_id, "state"))]
        return sorted(user for user, key in found if key == handler_name)

    async def merge(self, *args: Any, **named: Any) -> Any:
        args, named = self._call("merge", args, named)
        return await super().merge(*args, **named)

    async def _names(self, prefix: str) -> list[str]:
        scope = self._ownership.now()
        names = await scope.rows.keys(group(scope.tenant_id, "state", scope.user_id or ""))
        return [name for name in names if owner_and_key(name)[1].startswith(prefix)]

    def _place(self, key: str) -> Place:
        scope = self._ownership.now()
        return scope.rows, state_key(scope.tenant_id, scope.user_id or "", key)

    def _call(self, method: str, args: Arguments, named: Named) -> Call:
        return keyed("handler_name", args, named)


class AIStateCache(_BothGenerations):
    """What agents remember of a conversation, by the agent's name."""

    async def delete_all_for_user(self) -> int:
        return await self.delete_by_agent_prefix("")

    async def delete_by_agent_prefix(self, prefix: str) -> int:
        """How many there were."""
        scope = self._ownership.now()
        names = await scope.rows.keys(group(scope.tenant_id, "aistate", scope.user_id or ""))
        return await _remove(scope.rows, [name for name in names if owner_and_key(name)[1].startswith(prefix)])

    async def merge(self, *args: Any, **named: Any) -> Any:
        args, named = self._call("merge", args, named)
        return await super().merge(*args, **named)

    def _place(self, key: str) -> Place:
        scope = self._ownership.now()
        return scope.rows, ai_state_key(scope.tenant_id, scope.user_id or "", key)

    def _call(self, method: str, args: Arguments, named: Named) -> Call:
        return keyed("agent_name", args, named)


class TableCache(_BothGenerations):
    """Rows that a tenant's conversations share, by key (0.1) or by table and primary key (0.31).

    The key of a row of a table is `create_table_key(table_name, pkid)`, so both generations mean the same row. Rows
    with any other key are in no table.
    """

    async def create_if_absent(
        self, table_name: str, pkid: str, data: Data, ttl: int | None = None
    ) -> TableTransitionResult:
        """Makes the row if there is none: `created` or `already_exists`."""
        rows, name = self._place(row_id(table_name, pkid))
        after = encode_row(data)
        while True:
            if (before := await rows.row(name)) is not None:
                return TableTransitionResult(TableRowTransition.ALREADY_EXISTS, decode_row(before))
            if await rows.swap(name, None, after, seconds(ttl)):
                return TableTransitionResult(TableRowTransition.CREATED)

    async def replace_if(
        self, table_name: str, pkid: str, data: Data, expected: Data, ttl: int | None = None
    ) -> TableTransitionResult:
        """Replaces the row if its fields are as in `expected`: `replaced`, `condition_not_met` or `missing`."""
        rows, name = self._place(row_id(table_name, pkid))
        after, wanted = encode_row(data), encode_row(expected)
        while True:
            before = await rows.row(name)
            if before is None:
                return TableTransitionResult(TableRowTransition.MISSING)
            if not agrees(before, wanted):
                return TableTransitionResult(TableRowTransition.CONDITION_NOT_MET, decode_row(before))
            if await rows.swap(name, before, after, seconds(ttl)):
                return TableTransitionResult(TableRowTransition.REPLACED)

    async def get_all(self, table_name: str, models: type[Model] | None = None) -> list[Any]:
        """The rows of a table, by primary key."""
        rows = self._ownership.now().rows
        found = await asyncio.gather(*(rows.row(name) for name in await self._names(table_name)))
        return [typed(decode_row(fields), models) for fields in found if fields is not None]

    async def list_pkids(self, table_name: str) -> list[str]:
        return [owner_and_key(name)[1] for name in await self._names(table_name)]

    async def delete_table(self, table_name: str) -> int:
        """How many rows there were."""
        return await _remove(self._ownership.now().rows, await self._names(table_name))

    async def delete_all_by_pkid(self, pkid: str) -> int:
        """Deletes the rows of this primary key from every table. How many there were. It looks at all tables."""
        scope = self._ownership.now()
        names = await scope.rows.keys(group(scope.tenant_id, "table"))
        return await _remove(scope.rows, [name for name in names if owner_and_key(name)[1] == pkid])

    async def find_by_field(self, table: str, field: str, value: object, models: type[Model] | None = None) -> Any:
        """The first row of a table whose `field` is `value`; None for none. It reads the whole table."""
        return await _first(self._ownership.now().rows, await self._names(table), field, value, models)

    async def _names(self, table_name: str) -> list[str]:
        scope = self._ownership.now()
        return await scope.rows.keys(group(scope.tenant_id, "table", table_name))

    def _place(self, key: str) -> Place:
        scope = self._ownership.now()
        return scope.rows, table_key(scope.tenant_id, key)

    def _call(self, method: str, args: Arguments, named: Named) -> Call:
        return of_table(method, args, named)


class ExpiryCache:
    """Deadlines by action and identifier. A deadline is there until its time is over; nothing is called then."""

    def __init__(self, ownership: Ownership) -> None:
        self._ownership = ownership

    async def set(self, action: str, identifier: str, ttl_seconds: int) -> bool:
        """Sets the deadline, anew where there is one. True."""
        rows, name = self._place(action, identifier)
        await rows.replace(name, {EMPTY: FILLER}, positive(ttl_seconds))
        return True

    async def delete(self, action: str, identifier: str) -> int:
        """1 if there was such a deadline, else 0."""
        rows, name = self._place(action, identifier)
        return int(await rows.remove(name))

    async def delete_all_by_identifier(self, identifier: str) -> int:
        """How many there were."""
        scope = self._ownership.now()
        return await _remove(scope.rows, await scope.rows.keys(group(scope.tenant_id, "expiry", identifier)))

    async def exists(self, action: str, identifier: str) -> bool:
        rows, name = self._place(action, identifier)
        return await rows.exists(name)

    async def get_ttl(self, action: str, identifier: str) -> int:
        """Seconds left; -2 for none."""
        rows, name = self._place(action, identifier)
        return await rows.ttl(name)

    def _place(self, action: str, identifier: str) -> Place:
        scope = self._ownership.now()
        return scope.rows, expiry_key(scope.tenant_id, identifier, action)


async def _remove(rows: Rows, names: Iterable[str]) -> int:
    return sum(await asyncio.gather(*(rows.remove(name) for name in names)))


async def _first(rows: Rows, names: Iterable[str], field: str, value: object, models: type[Model] | None) -> Any:
    for fields in await asyncio.gather(*(rows.row(name) for name in names)):
        row = decode_row(fields or {})
        if field in row and row[field] == value and type(row[field]) is type(value):
            return typed(row, models)
    return None
