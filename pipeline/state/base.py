"""The contract of caches, as Wappa's documentation teaches it (0.1: the caller names the key).

These rules hold for every backend, and for a cache inside a handler as well as outside:

- A row is a dict with string keys. It comes back with exactly the types that went in, dates and times too. A value that
  would come back changed (a tuple, NaN) raises `TypeError` when it is written.
- The caller owns what is returned: changing it changes no cache.
- `set` replaces the row: fields that are not given are gone. To change one field, use `set_field`.
- `ttl` is in whole seconds, per key. `set` without ttl makes a row that never expires; the other writes without ttl
  keep the row's expiry.
- Deleting a missing row returns False, and so does giving it a ttl.

The names of Wappa 0.31 are here too (`upsert`, `update_field`, `renew_ttl`). Its signatures, in which a cache knows its
row, are accepted by the caches in `pipeline.state.caches`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar, overload

from pydantic import BaseModel

from pipeline.state.keys import row_id

Model = TypeVar("Model", bound=BaseModel)
Row = dict[str, Any]
"""A row as callers get it: field name to value."""
Data = Mapping[str, Any] | BaseModel
"""A row as callers pass it."""


class ICache(ABC):
    """Rows by key. Raises `Unavailable` while the backend is away, `ValueError` for an empty key or a ttl below 1."""

    @overload
    async def get(self, key: str, models: None = None) -> Row | None: ...
    @overload
    async def get(self, key: str, models: type[Model]) -> Model | None: ...
    @abstractmethod
    async def get(self, key: str, models: type[Model] | None = None) -> Row | Model | None:
        """Return the row; None if there is none.

        It is a model if you pass its class; a row that does not fit raises pydantic's `ValidationError`.
        """

    @abstractmethod
    async def set(self, key: str, data: Data, ttl: int | None = None) -> bool:
        """Replace the row and return True. Without `ttl` (seconds) the row never expires."""

    @abstractmethod
    async def delete(self, key: str) -> bool:
        """Delete the row and return True if it existed."""

    @abstractmethod
    async def exists(self, key: str) -> bool:
        """Return True if the row exists."""

    @abstractmethod
    async def get_field(self, key: str, field: str) -> Any:
        """Return the value of one field; None if there is none."""

    @abstractmethod
    async def set_field(self, key: str, field: str, value: Any, ttl: int | None = None) -> bool:
        """Set one field, creating the row if need be, and return True."""

    @abstractmethod
    async def increment_field(self, key: str, field: str, increment: int = 1, ttl: int | None = None) -> int | None:
        """Add to an integer field, counted from 0, and return its new value.

        Return None, with nothing changed, if the field is not an integer below 10¹⁵.
        """

    @abstractmethod
    async def append_to_list(self, key: str, field: str, value: Any, ttl: int | None = None) -> bool:
        """Append to a list field, creating it if need be, and return True.

        Return False, with nothing changed, if the field is not a list.
        """

    @abstractmethod
    async def get_ttl(self, key: str) -> int:
        """Return the seconds left; -1 for a row that never expires, -2 if there is no row."""

    @abstractmethod
    async def set_ttl(self, key: str, ttl: int) -> bool:
        """Let the row expire in `ttl` seconds and return True; False if there is no row."""

    async def upsert(self, key: str, data: Data, ttl: int | None = None) -> bool:
        """Replace the row, as `set` does: this is its name in Wappa 0.31."""
        return await self.set(key, data, ttl)

    async def update_field(self, key: str, field: str, value: Any, ttl: int | None = None) -> bool:
        """Set one field, as `set_field` does: this is its name in Wappa 0.31."""
        return await self.set_field(key, field, value, ttl)

    async def renew_ttl(self, key: str, ttl: int) -> bool:
        """Let the row expire, as `set_ttl` does: this is its name in Wappa 0.31."""
        return await self.set_ttl(key, ttl)

    @staticmethod
    def create_table_key(table_name: str, pkid: str) -> str:
        """Return the key of one row in a table cache."""
        return row_id(table_name, pkid)
