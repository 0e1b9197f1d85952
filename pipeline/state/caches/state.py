"""The cache of a conversation's states."""

from __future__ import annotations

from typing import Any, overload

from pipeline.state.base import Data, Model, Row
from pipeline.state.caches.bulk import remove_all
from pipeline.state.call_styles import AnyCallStyle, Arguments, Call, Named, normalize_keyed_call
from pipeline.state.keys import group, owner_and_key, state_key
from pipeline.state.rows import RowLocation


class StateCache(AnyCallStyle):
    """A conversation's states, each by the name of the handler that keeps it.

    That name is the `key` of Wappa 0.1 and the `handler_name` of 0.31.

    >>> await cache.set("order", {"step": "dish"}, ttl=3600)
    >>> await cache.upsert(handler_name="order", data={"step": "dish"})

    Raises `Unavailable` while the store is away, `ValueError` for an empty key or a ttl below 1 second.
    """

    @overload
    async def get(self, key: str, models: None = None) -> Row | None: ...
    @overload
    async def get(self, key: str, models: type[Model]) -> Model | None: ...
    @overload
    async def get(self, *, handler_name: str, models: None = None) -> Row | None: ...
    @overload
    async def get(self, *, handler_name: str, models: type[Model]) -> Model | None: ...
    async def get(self, *args: Any, **named: Any) -> Any:
        """Return the row, as a model if you pass one; None if there is no row."""
        return await self._call("get", args, named)

    @overload
    async def upsert(self, key: str, data: Data, ttl: int | None = None) -> bool: ...
    @overload
    async def upsert(self, *, handler_name: str, data: Data, ttl: int | None = None) -> bool: ...
    async def upsert(self, *args: Any, **named: Any) -> Any:
        """Replace the row and return True. Without `ttl` (seconds) the row never expires."""
        return await self._call("upsert", args, named)

    @overload
    async def delete(self, key: str) -> bool: ...
    @overload
    async def delete(self, *, handler_name: str) -> bool: ...
    async def delete(self, *args: Any, **named: Any) -> Any:
        """Delete the row and return True if it existed."""
        return await self._call("delete", args, named)

    @overload
    async def exists(self, key: str) -> bool: ...
    @overload
    async def exists(self, *, handler_name: str) -> bool: ...
    async def exists(self, *args: Any, **named: Any) -> Any:
        """Return True if the row exists."""
        return await self._call("exists", args, named)

    @overload
    async def get_field(self, key: str, field: str) -> Any: ...
    @overload
    async def get_field(self, *, handler_name: str, field: str) -> Any: ...
    async def get_field(self, *args: Any, **named: Any) -> Any:
        """Return the value of one field; None if there is none."""
        return await self._call("get_field", args, named)

    @overload
    async def update_field(self, key: str, field: str, value: Any, ttl: int | None = None) -> bool: ...
    @overload
    async def update_field(self, *, handler_name: str, field: str, value: Any, ttl: int | None = None) -> bool: ...
    async def update_field(self, *args: Any, **named: Any) -> Any:
        """Set one field, creating the row if need be, and return True."""
        return await self._call("update_field", args, named)

    @overload
    async def delete_field(self, key: str, field: str) -> bool: ...
    @overload
    async def delete_field(self, *, handler_name: str, field: str) -> bool: ...
    async def delete_field(self, *args: Any, **named: Any) -> Any:
        """Delete one field and return True if it existed."""
        return await self._call("delete_field", args, named)

    @overload
    async def increment_field(self, key: str, field: str, increment: int = 1, ttl: int | None = None) -> int | None: ...
    @overload
    async def increment_field(
        self, *, handler_name: str, field: str, increment: int = 1, ttl: int | None = None
    ) -> int | None: ...
    async def increment_field(self, *args: Any, **named: Any) -> Any:
        """Add to an integer field and return its new value; None if the field is not an integer below 10¹⁵."""
        return await self._call("increment_field", args, named)

    @overload
    async def append_to_list(self, key: str, field: str, value: Any, ttl: int | None = None) -> bool: ...
    @overload
    async def append_to_list(self, *, handler_name: str, field: str, value: Any, ttl: int | None = None) -> bool: ...
    async def append_to_list(self, *args: Any, **named: Any) -> Any:
        """Append to a list field and return True; False if the field is not a list."""
        return await self._call("append_to_list", args, named)

    @overload
    async def get_ttl(self, key: str) -> int: ...
    @overload
    async def get_ttl(self, *, handler_name: str) -> int: ...
    async def get_ttl(self, *args: Any, **named: Any) -> Any:
        """Return the seconds left; -1 for a row that never expires, -2 if there is no row."""
        return await self._call("get_ttl", args, named)

    @overload
    async def renew_ttl(self, key: str, ttl: int) -> bool: ...
    @overload
    async def renew_ttl(self, *, handler_name: str, ttl: int) -> bool: ...
    async def renew_ttl(self, *args: Any, **named: Any) -> Any:
        """Let the row expire in `ttl` seconds and return True; False if there is no row."""
        return await self._call("renew_ttl", args, named)

    @overload
    async def merge(self, key: str, state_data: Data, ttl: int | None = None, models: None = None) -> Row: ...
    @overload
    async def merge(self, key: str, state_data: Data, ttl: int | None, models: type[Model]) -> Model: ...
    @overload
    async def merge(self, key: str, state_data: Data, ttl: int | None = None, *, models: type[Model]) -> Model: ...
    @overload
    async def merge(
        self, *, handler_name: str, state_data: Data, ttl: int | None = None, models: None = None
    ) -> Row: ...
    @overload
    async def merge(
        self, *, handler_name: str, state_data: Data, ttl: int | None = None, models: type[Model]
    ) -> Model: ...
    async def merge(self, *args: Any, **named: Any) -> Any:
        """Set the given fields, keep the others, and return the whole row, as a model if you pass one."""
        return await self._call("merge", args, named)

    @overload
    async def set(self, key: str, data: Data, ttl: int | None = None) -> bool: ...
    @overload
    async def set(self, *, handler_name: str, data: Data, ttl: int | None = None) -> bool: ...
    async def set(self, *args: Any, **named: Any) -> Any:
        """Replace the row and return True. Without `ttl` (seconds) the row never expires."""
        return await self._call("set", args, named)

    @overload
    async def set_field(self, key: str, field: str, value: Any, ttl: int | None = None) -> bool: ...
    @overload
    async def set_field(self, *, handler_name: str, field: str, value: Any, ttl: int | None = None) -> bool: ...
    async def set_field(self, *args: Any, **named: Any) -> Any:
        """Set one field, creating the row if need be, and return True."""
        return await self._call("set_field", args, named)

    @overload
    async def set_ttl(self, key: str, ttl: int) -> bool: ...
    @overload
    async def set_ttl(self, *, handler_name: str, ttl: int) -> bool: ...
    async def set_ttl(self, *args: Any, **named: Any) -> Any:
        """Let the row expire in `ttl` seconds and return True; False if there is no row."""
        return await self._call("set_ttl", args, named)

    async def list_handlers(self, prefix: str | None = None) -> list[str]:
        """Return the names of the user's states that begin with `prefix`, sorted."""
        return sorted(owner_and_key(name)[1] for name in await self._names(prefix or ""))

    async def delete_all_for_user(self) -> int:
        """Delete all states of the user and return how many there were."""
        return await self.delete_by_handler_prefix("")

    async def delete_by_handler_prefix(self, prefix: str) -> int:
        """Delete the user's states whose names begin with `prefix` and return how many there were."""
        return await remove_all(self._binding.scope().rows, await self._names(prefix))

    async def list_users_with_handler(self, inbox_id: str | None, handler_name: str) -> list[str]:
        """Return the ids of the tenant's users that have such a state, sorted. It lists the states of all users."""
        scope = self._binding._replace(inbox_id=inbox_id).scope()
        found = [owner_and_key(name) for name in await scope.rows.keys(group(scope.tenant_id, "state"))]
        return sorted(user for user, key in found if key == handler_name)

    async def _names(self, prefix: str) -> list[str]:
        scope = self._binding.scope()
        names = await scope.rows.keys(group(scope.tenant_id, "state", scope.user_id or ""))
        return [name for name in names if owner_and_key(name)[1].startswith(prefix)]

    def _locate(self, key: str) -> RowLocation:
        scope = self._binding.scope()
        return RowLocation(scope.rows, state_key(scope.tenant_id, scope.user_id or "", key))

    def _normalize(self, method: str, args: Arguments, named: Named) -> Call:
        return normalize_keyed_call("handler_name", args, named)
