"""The contract of caches, as Wappa's documents teach it (generation 0.1: the caller names the key).

Rules that hold for every backend, and for a cache inside a handler as well as outside:

- A row is a dict with string keys. It comes back with exactly the types that went in, dates and times too; what would
  come back changed (tuples, NaN) is refused with `TypeError` when it is written.
- What is returned is the caller's own: changing it changes no cache.
- `set` makes the row what it is given: fields that are not given are gone. To change one field, use `set_field`.
- `ttl` is in whole seconds, per key. `set` without ttl makes a row that stays; the other writes without ttl leave the
  row's expiry as it is.
- Deleting what is not there is False, and so is giving it a ttl.

The newer generation's names are here too (`upsert`, `update_field`, `renew_ttl`); its signatures, in which a cache
knows its row, are in `caches`, beside these.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar, overload

from pydantic import BaseModel

from pipeline.state.keys import row_id

Model = TypeVar("Model", bound=BaseModel)
Data = Mapping[str, Any] | BaseModel


class ICache(ABC):
    """Rows by key. Raises `Unavailable` while the backend is away, `ValueError` for an empty key or a ttl below 1."""

    @overload
    async def get(self, key: str, models: None = None) -> dict[str, Any] | None: ...
    @overload
    async def get(self, key: str, models: type[Model]) -> Model | None: ...
    @abstractmethod
    async def get(self, key: str, models: type[Model] | None = None) -> dict[str, Any] | Model | None:
        """The row, as a model where one is given (pydantic's `ValidationError` if it doesn't fit); None for none."""

    @abstractmethod
    async def set(self, key: str, data: Data, ttl: int | None = None) -> bool:
        """Makes the row `data`. True."""

    @abstractmethod
    async def delete(self, key: str) -> bool:
        """Whether there was such a row."""

    @abstractmethod
    async def exists(self, key: str) -> bool: ...

    @abstractmethod
    async def get_field(self, key: str, field: str) -> Any:
        """The field's value; None for none."""

    @abstractmethod
    async def set_field(self, key: str, field: str, value: Any, ttl: int | None = None) -> bool:
        """Sets one field, making the row if need be. True."""

    @abstractmethod
    async def increment_field(self, key: str, field: str, increment: int = 1, ttl: int | None = None) -> int | None:
        """The new value, counted from 0. None, with nothing changed, if the field is not an integer below 10¹⁵."""

    @abstractmethod
    async def append_to_list(self, key: str, field: str, value: Any, ttl: int | None = None) -> bool:
        """Whether it was appended; a list is made if need be. False, with nothing changed, if the field is no list."""

    @abstractmethod
    async def get_ttl(self, key: str) -> int:
        """Seconds left; -1 for a row that stays, -2 for no row."""

    @abstractmethod
    async def set_ttl(self, key: str, ttl: int) -> bool:
        """Whether there is such a row; it then expires in `ttl` seconds."""

    async def upsert(self, key: str, data: Data, ttl: int | None = None) -> bool:
        """`set` by its newer name. It replaces the row, too."""
        return await self.set(key, data, ttl)

    async def update_field(self, key: str, field: str, value: Any, ttl: int | None = None) -> bool:
        """`set_field` by its newer name."""
        return await self.set_field(key, field, value, ttl)

    async def renew_ttl(self, key: str, ttl: int) -> bool:
        """`set_ttl` by its newer name."""
        return await self.set_ttl(key, ttl)

    @staticmethod
    def create_table_key(table_name: str, pkid: str) -> str:
        """The key of one row in a table cache."""
        return row_id(table_name, pkid)
