"""The cache: `base.ICache` over rows, wherever those are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

from pydantic import BaseModel

from pipeline.state.base import Data, ICache, Model
from pipeline.state.encoding import LIMIT, decode, decode_row, encode, encode_row, field_name
from pipeline.state.store import Rows

Place = tuple[Rows, str]
"""Rows, and the full name of one of them."""


class Cache(ICache):
    """Rows by a short key.

    Args:
        locate: from the user's key to its place. It is asked at every call, so that a cache which a handler keeps
            in an attribute always means the event in hand.
    """

    def __init__(self, locate: Callable[[str], Place]) -> None:
        self._locate = locate

    @overload
    async def get(self, key: str, models: None = None) -> dict[str, Any] | None: ...
    @overload
    async def get(self, key: str, models: type[Model]) -> Model | None: ...
    async def get(self, key: str, models: type[Model] | None = None) -> dict[str, Any] | Model | None:
        rows, name = self._locate(key)
        fields = await rows.row(name)
        return None if fields is None else typed(decode_row(fields), models)

    async def set(self, key: str, data: Data, ttl: int | None = None) -> bool:
        rows, name = self._locate(key)
        await rows.replace(name, encode_row(data), seconds(ttl))
        return True

    async def delete(self, key: str) -> bool:
        rows, name = self._locate(key)
        return await rows.remove(name)

    async def exists(self, key: str) -> bool:
        rows, name = self._locate(key)
        return await rows.exists(name)

    async def get_field(self, key: str, field: str) -> Any:
        rows, name = self._locate(key)
        value = await rows.field(name, field_name(field))
        return None if value is None else decode(value)

    async def set_field(self, key: str, field: str, value: Any, ttl: int | None = None) -> bool:
        rows, name = self._locate(key)
        await rows.put(name, field_name(field), encode(value), seconds(ttl))
        return True

    async def increment_field(self, key: str, field: str, increment: int = 1, ttl: int | None = None) -> int | None:
        rows, name = self._locate(key)
        return await rows.increment(name, field_name(field), _step(increment), seconds(ttl))

    async def append_to_list(self, key: str, field: str, value: Any, ttl: int | None = None) -> bool:
        rows, name = self._locate(key)
        return await rows.append(name, field_name(field), encode(value), seconds(ttl))

    async def delete_field(self, key: str, field: str) -> bool:
        """Forgets one field. Whether it was there."""
        rows, name = self._locate(key)
        return await rows.drop(name, field_name(field))

    async def merge(
        self, key: str, state_data: Data, ttl: int | None = None, models: type[BaseModel] | None = None
    ) -> Any:
        """Sets the given fields, leaves the others, and returns the whole row, as a model where one is given."""
        rows, name = self._locate(key)
        await rows.merge(name, encode_row(state_data), seconds(ttl))
        return typed(decode_row(await rows.row(name) or {}), models)

    async def get_ttl(self, key: str) -> int:
        rows, name = self._locate(key)
        return await rows.ttl(name)

    async def set_ttl(self, key: str, ttl: int) -> bool:
        rows, name = self._locate(key)
        return await rows.expire(name, positive(ttl))


def typed(row: dict[str, Any], models: type[Model] | None) -> Any:
    """The row, as a model where one is given."""
    return row if models is None else models.model_validate(row)


def seconds(ttl: int | None) -> int | None:
    return None if ttl is None else positive(ttl)


def positive(ttl: int) -> int:
    if not isinstance(ttl, int) or ttl < 1:
        raise ValueError("a ttl is a whole number of seconds, at least 1: to drop a row at once, delete it")
    return ttl


def _step(increment: int) -> int:
    if not isinstance(increment, int) or abs(increment) >= LIMIT:
        raise ValueError("an increment is a whole number below 10 to the 15th")
    return int(increment)
