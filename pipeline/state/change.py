"""What is to become of one row, as a value that can wait."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pipeline.errors import Conflict
from pipeline.state.encoding import Fields, appended, encode, integer, is_list

NOT_A_COUNTER: Final = "a field that an event counts on is not a counter any more: the event is handled again"
NOT_A_LIST: Final = "a field that an event appends to is not a list any more: the event is handled again"


@dataclass(slots=True)
class RowChange:
    """Operations on one row, in the order in which they are applied: remove, set, increment, append, expire.

    They stay operations until they reach the store, so two conversations that count on one row lose nothing.

    Attributes:
        key: full name of the row (`pipeline.state.keys`).
        remove: what the row held is dropped first, its expiry too.
        sets: field → JSON.
        increments: field → by how much.
        appends: field → JSON values, to be joined by commas.
        ttl: seconds until the row expires; None leaves its expiry as it is.
    """

    key: str
    remove: bool = False
    sets: Fields = field(default_factory=dict)
    increments: dict[str, int] = field(default_factory=dict)
    appends: dict[str, list[bytes]] = field(default_factory=dict)
    ttl: int | None = None

    def over(self, base: Fields | None) -> Fields | None:
        """The row that `base` becomes; None if there is none afterwards. Raises `Conflict`, as the Lua script does."""
        row = {} if self.remove or base is None else dict(base)
        row.update(self.sets)
        for name, by in self.increments.items():
            row[name] = encode(_counter(row, name) + by)
        for name, items in self.appends.items():
            row[name] = appended(_list(row, name), b",".join(items))
        return row or None

    def set_field(self, name: str, value: bytes) -> None:
        self.sets[name] = value
        self.increments.pop(name, None)
        self.appends.pop(name, None)

    def increment(self, name: str, by: int) -> None:
        if name in self.sets:
            self.sets[name] = encode(_counter(self.sets, name) + by)
        else:
            self.increments[name] = self.increments.get(name, 0) + by

    def append(self, name: str, item: bytes) -> None:
        if name in self.sets:
            self.sets[name] = appended(_list(self.sets, name), item)
        else:
            self.appends.setdefault(name, []).append(item)


def _counter(row: Fields, name: str) -> int:
    number = integer(row.get(name))
    if number is None:
        raise Conflict(NOT_A_COUNTER)
    return number


def _list(row: Fields, name: str) -> bytes | None:
    if not is_list(row.get(name)):
        raise Conflict(NOT_A_LIST)
    return row.get(name)
