"""The interface over which caches read and write rows."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from pipeline.state.encoding import Fields

NO_EXPIRY: Final = -1
"""Seconds left, as reported for a row that never expires."""
MISSING: Final = -2
"""Seconds left, as reported for a row that does not exist."""


class Rows(Protocol):
    """Rows that caches read and write: a store itself, or one event's view of it (`buffer.BufferedRows`).

    Keys are full names (`keys`), values are JSON (`encoding`), ttl is in whole seconds. The caller owns the results.
    """

    async def row(self, key: str) -> Fields | None:
        """Return all fields of the row; None if there is no row."""

    async def field(self, key: str, name: str) -> bytes | None:
        """Return one field; None if there is none."""

    async def exists(self, key: str) -> bool:
        """Return True if the row exists."""

    async def ttl(self, key: str) -> int:
        """Return the seconds left; `NO_EXPIRY` for a row that never expires, `MISSING` if there is none."""

    async def replace(self, key: str, fields: Fields, ttl: int | None) -> None:
        """Make the row exactly these fields. Without ttl it never expires."""

    async def put(self, key: str, name: str, value: bytes, ttl: int | None) -> None:
        """Set one field and keep the others."""

    async def merge(self, key: str, fields: Fields, ttl: int | None) -> None:
        """Set these fields and keep the others."""

    async def increment(self, key: str, name: str, by: int, ttl: int | None) -> int | None:
        """Add to a counter and return its new value; None, with nothing changed, if the field is not a counter."""

    async def append(self, key: str, name: str, item: bytes, ttl: int | None) -> bool:
        """Append to a list and return True; False, with nothing changed, if the field is not a list."""

    async def drop(self, key: str, name: str) -> bool:
        """Delete a field and return True if it existed. A row without fields stays a row."""

    async def remove(self, key: str) -> bool:
        """Delete the row and return True if it existed."""

    async def expire(self, key: str, ttl: int) -> bool:
        """Let the row expire in `ttl` seconds and return True; False if there is no row."""

    async def swap(self, key: str, before: Fields | None, after: Fields, ttl: int | None) -> bool:
        """Replace the row and return True if it is exactly `before` (None: if there is none); False otherwise."""

    async def keys(self, group: str) -> list[str]:
        """Return the names of a group's rows (`keys.groups`), sorted. The cost grows with the group."""


class RowLocation(NamedTuple):
    """The rows that hold a row, and its full name in them."""

    rows: Rows
    name: str
