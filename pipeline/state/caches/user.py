"""The cache of one user."""

from __future__ import annotations

from typing import Any, overload

from pipeline.state.base import Data, Model, Row
from pipeline.state.caches.bulk import find_first
from pipeline.state.call_styles import AnyCallStyle, Arguments, Call, Named, normalize_user_call
from pipeline.state.keys import group, user_key
from pipeline.state.rows import RowLocation


class UserCache(AnyCallStyle):
    """One user's rows by key (Wappa 0.1), and the user's own row, which needs no key (0.31).

    >>> await cache.set("cart", {"items": 2}, ttl=3600)  # the row `cart`
    >>> await cache.upsert({"name": "Ana"})  # the user's own row

    Raises `Unavailable` while the store is away, `ValueError` for an empty key or a ttl below 1 second.
    """

    @overload
    async def get(self, key: str, models: None = None) -> Row | None: ...
    @overload
    async def get(self, key: str, models: type[Model]) -> Model | None: ...
    @overload
    async def get(self, *, models: None = None) -> Row | None: ...
    @overload
    async def get(self, models: type[Model]) -> Model | None: ...
    async def get(self, *args: Any, **named: Any) -> Any:
        """Return the row, as a model if you pass one; None if there is no row."""
        return await self._call("get", args, named)

    @overload
    async def upsert(self, key: str, data: Data, ttl: int | None = None) -> bool: ...
    @overload
    async def upsert(self, data: Data, ttl: int | None = None) -> bool: ...
    async def upsert(self, *args: Any, **named: Any) -> Any:
        """Replace the row and return True. Without `ttl` (seconds) the row never expires."""
        return await self._call("upsert", args, named)

    @overload
    async def delete(self, key: str) -> bool: ...
    @overload
    async def delete(self) -> bool: ...
    async def delete(self, *args: Any, **named: Any) -> Any:
        """Delete the row and return True if it existed."""
        return await self._call("delete", args, named)

    @overload
    async def exists(self, key: str) -> bool: ...
    @overload
    async def exists(self) -> bool: ...
    async def exists(self, *args: Any, **named: Any) -> Any:
        """Return True if the row exists."""
        return await self._call("exists", args, named)

    @overload
    async def get_field(self, key: str, field: str) -> Any: ...
    @overload
    async def get_field(self, field: str) -> Any: ...
    async def get_field(self, *args: Any, **named: Any) -> Any:
        """Return the value of one field; None if there is none."""
        return await self._call("get_field", args, named)

    @overload
    async def update_field(self, key: str, field: str, value: Any, ttl: int | None = None) -> bool: ...
    @overload
    async def update_field(self, field: str, value: Any, ttl: int | None = None) -> bool: ...
    async def update_field(self, *args: Any, **named: Any) -> Any:
        """Set one field, creating the row if need be, and return True."""
        return await self._call("update_field", args, named)

    @overload
    async def delete_field(self, key: str, field: str) -> bool: ...
    @overload
    async def delete_field(self, field: str) -> bool: ...
    async def delete_field(self, *args: Any, **named: Any) -> Any:
        """Delete one field and return True if it existed."""
        return await self._call("delete_field", args, named)

    @overload
    async def increment_field(self, key: str, field: str, increment: int = 1, ttl: int | None = None) -> int | None: ...
    @overload
    async def increment_field(self, field: str, increment: int = 1, ttl: int | None = None) -> int | None: ...
    async def increment_field(self, *args: Any, **named: Any) -> Any:
        """Add to an integer field and return its new value; None if the field is not an integer below 10¹⁵."""
        return await self._call("increment_field", args, named)

    @overload
    async def append_to_list(self, key: str, field: str, value: Any, ttl: int | None = None) -> bool: ...
    @overload
    async def append_to_list(self, field: str, value: Any, ttl: int | None = None) -> bool: ...
    async def append_to_list(self, *args: Any, **named: Any) -> Any:
        """Append to a list field and return True; False if the field is not a list."""
        return await self._call("append_to_list", args, named)

    @overload
    async def get_ttl(self, key: str) -> int: ...
    @overload
    async def get_ttl(self) -> int: ...
    async def get_ttl(self, *args: Any, **named: Any) -> Any:
        """Return the seconds left; -1 for a row that never expires, -2 if there is no row."""
        return await self._call("get_ttl", args, named)

    @overload
    async def renew_ttl(self, key: str, ttl: int) -> bool: ...
    @overload
    async def renew_ttl(self, ttl: int) -> bool: ...
    async def renew_ttl(self, *args: Any, **named: Any) -> Any:
        """Let the row expire in `ttl` seconds and return True; False if there is no row."""
        return await self._call("renew_ttl", args, named)

    @overload
    async def find_by_field(self, field: str, value: object, models: None = None) -> Row | None: ...
    @overload
    async def find_by_field(self, field: str, value: object, models: type[Model]) -> Model | None: ...
    async def find_by_field(self, field: str, value: object, models: type[Model] | None = None) -> Row | Model | None:
        """Return the first user's own row, of any user of the tenant, whose `field` equals `value`; None if none does.

        It reads the row of every user: keep a table by that field if there are many.
        """
        scope = self._binding.scope()
        return await find_first(scope.rows, await scope.rows.keys(group(scope.tenant_id, "user")), field, value, models)

    def _locate(self, key: str) -> RowLocation:
        scope = self._binding.scope()
        return RowLocation(scope.rows, user_key(scope.tenant_id, scope.user_id or "", key))

    def _normalize(self, method: str, args: Arguments, named: Named) -> Call:
        return normalize_user_call(method, args, named)
