"""The cache: `base.ICache` over rows of any kind."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, overload

from pipeline.state.base import Data, ICache, Model, Row
from pipeline.state.encoding import LIMIT, decode, decode_row, encode, encode_row, field_name
from pipeline.state.rows import RowLocation


class Cache(ICache):
    """Rows by a short key."""

    @abstractmethod
    def _locate(self, key: str) -> RowLocation:
        """Return the location of the user's key.

        It is called at every call, so that a cache that a handler keeps in an attribute follows the current event.
        """

    @overload
    async def get(self, key: str, models: None = None) -> Row | None: ...
    @overload
    async def get(self, key: str, models: type[Model]) -> Model | None: ...
    async def get(self, key: str, models: type[Model] | None = None) -> Row | Model | None:
        """Return the row, as a model if you pass one; None if there is no row."""
        rows, name = self._locate(key)
        fields = await rows.row(name)
        return None if fields is None else as_model(decode_row(fields), models)

    async def set(self, key: str, data: Data, ttl: int | None = None) -> bool:
        """Replace the row and return True. Without `ttl` (seconds) the row never expires."""
        rows, name = self._locate(key)
        await rows.replace(name, encode_row(data), seconds(ttl))
        return True

    async def delete(self, key: str) -> bool:
        """Delete the row and return True if it existed."""
        rows, name = self._locate(key)
        return await rows.remove(name)

    async def exists(self, key: str) -> bool:
        """Return True if the row exists."""
        rows, name = self._locate(key)
        return await rows.exists(name)

    async def get_field(self, key: str, field: str) -> Any:
        """Return the value of one field; None if there is none."""
        rows, name = self._locate(key)
        value = await rows.field(name, field_name(field))
        return None if value is None else decode(value)

    async def set_field(self, key: str, field: str, value: Any, ttl: int | None = None) -> bool:
        """Set one field, creating the row if need be, and return True."""
        rows, name = self._locate(key)
        await rows.put(name, field_name(field), encode(value), seconds(ttl))
        return True

    async def increment_field(self, key: str, field: str, increment: int = 1, ttl: int | None = None) -> int | None:
        """Add to an integer field and return its new value; None if the field is not an integer below 10¹⁵."""
        rows, name = self._locate(key)
        return await rows.increment(name, field_name(field), _step(increment), seconds(ttl))

    async def append_to_list(self, key: str, field: str, value: Any, ttl: int | None = None) -> bool:
        """Append to a list field and return True; False if the field is not a list."""
        rows, name = self._locate(key)
        return await rows.append(name, field_name(field), encode(value), seconds(ttl))

    async def delete_field(self, key: str, field: str) -> bool:
        """Delete one field and return True if it existed."""
        rows, name = self._locate(key)
        return await rows.drop(name, field_name(field))

    @overload
    async def merge(self, key: str, state_data: Data, ttl: int | None = None, models: None = None) -> Row: ...
    @overload
    async def merge(self, key: str, state_data: Data, ttl: int | None, models: type[Model]) -> Model: ...
    @overload
    async def merge(self, key: str, state_data: Data, ttl: int | None = None, *, models: type[Model]) -> Model: ...
    async def merge(
        self, key: str, state_data: Data, ttl: int | None = None, models: type[Model] | None = None
    ) -> Row | Model:
        """Set the given fields, keep the others, and return the whole row, as a model if you pass one."""
        rows, name = self._locate(key)
        await rows.merge(name, encode_row(state_data), seconds(ttl))
        return as_model(decode_row(await rows.row(name) or {}), models)

    async def get_ttl(self, key: str) -> int:
        """Return the seconds left; -1 for a row that never expires, -2 if there is no row."""
        rows, name = self._locate(key)
        return await rows.ttl(name)

    async def set_ttl(self, key: str, ttl: int) -> bool:
        """Let the row expire in `ttl` seconds and return True; False if there is no row."""
        rows, name = self._locate(key)
        return await rows.expire(name, positive(ttl))


def as_model(row: Row, models: type[Model] | None) -> Row | Model:
    """Return the row, as a model if one is given. Raises pydantic's `ValidationError` if it does not fit."""
    return row if models is None else models.model_validate(row)


def seconds(ttl: int | None) -> int | None:
    """Return a ttl that may be missing. Raises `ValueError` unless it is a whole number of at least 1."""
    return None if ttl is None else positive(ttl)


def positive(ttl: int) -> int:
    """Return the ttl. Raises `ValueError` unless it is a whole number of at least 1."""
    if not isinstance(ttl, int) or ttl < 1:
        raise ValueError("a ttl is a whole number of seconds, at least 1: to drop a row at once, delete it")
    return ttl


def _step(increment: int) -> int:
    if not isinstance(increment, int) or abs(increment) >= LIMIT:
        raise ValueError("an increment is a whole number below 10 to the 15th")
    return int(increment)
