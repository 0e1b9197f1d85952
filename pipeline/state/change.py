"""What is to become of one row, as a value that can wait."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pipeline.errors import Conflict
from pipeline.state.encoding import EMPTY, FILLER, Fields, appended, encode, integer, is_list

NOT_A_COUNTER: Final = "a field that an event counts on is not a counter any more: the event is handled again"
NOT_A_LIST: Final = "a field that an event appends to is not a list any more: the event is handled again"
CHANGED: Final = (
    "a row that an event read and wants to write was written by another meanwhile: the event is handled again"
)


@dataclass(slots=True)
class RowChange:
    """Operations on one row, in the order in which they are applied: remove, set, increment, append, drop, expire.

    They stay operations until they reach the store, so two conversations that count on one row lose nothing.

    Attributes:
        key: full name of the row (`pipeline.state.keys`).
        expects: field → the JSON that it must still hold (None: it must not be there), or nothing is applied.
        size: how many fields the row must still have (0: no row); None where any number will do.
        remove: what the row held is dropped first, its expiry too.
        sets: field → JSON.
        increments: field → by how much.
        appends: field → JSON values, to be joined by commas.
        drops: fields to forget. A row whose last field is forgotten stays, as an empty one.
        ttl: seconds until the row expires; None leaves its expiry as it is.
    """

    key: str
    expects: dict[str, bytes | None] = field(default_factory=dict)
    size: int | None = None
    remove: bool = False
    sets: Fields = field(default_factory=dict)
    increments: dict[str, int] = field(default_factory=dict)
    appends: dict[str, list[bytes]] = field(default_factory=dict)
    drops: set[str] = field(default_factory=set)
    ttl: int | None = None

    def apply_to(self, base: Fields | None) -> Fields | None:
        """The row that `base` becomes; None if there is none afterwards. Raises `Conflict`, as the Lua script does."""
        self._check(base or {})
        row = {} if self.remove or base is None else dict(base)
        row.update(self.sets)
        for name, by in self.increments.items():
            row[name] = encode(_counter(row, name) + by)
        for name, items in self.appends.items():
            row[name] = appended(_list(row, name), b",".join(items))
        for name in self.dropped(row):
            del row[name]
            row[EMPTY] = FILLER
        return row or None

    def dropped(self, row: Fields) -> set[str]:
        """Those fields of `row` that are forgotten."""
        return self.drops & row.keys()

    def expect_row(self, row: Fields | None) -> None:
        """The row must still be exactly this, or not be there."""
        self.expects = dict(row or {})
        self.size = len(self.expects)

    def expect_field(self, name: str, value: bytes | None) -> None:
        """The field must still be this. What was expected of it before stays."""
        self.expects.setdefault(name, value)

    def expect_as(self, other: RowChange) -> None:
        """Takes over what another change of the same row expected."""
        self.expects, self.size = other.expects, other.size

    def set_field(self, name: str, value: bytes) -> None:
        self._forget(name)
        self.sets[name] = value

    def drop(self, name: str) -> None:
        self._forget(name)
        self.drops.add(name)
        self.sets[EMPTY] = FILLER

    def increment(self, name: str, by: int) -> None:
        if name in self.drops:
            self.set_field(name, encode(by))
        elif name in self.sets:
            self.sets[name] = encode(_counter(self.sets, name) + by)
        else:
            self.increments[name] = self.increments.get(name, 0) + by

    def append(self, name: str, item: bytes) -> None:
        if name in self.drops:
            self.set_field(name, appended(None, item))
        elif name in self.sets:
            self.sets[name] = appended(_list(self.sets, name), item)
        else:
            self.appends.setdefault(name, []).append(item)

    def _forget(self, name: str) -> None:
        """What this change wanted with a field before."""
        self.sets.pop(name, None)
        self.increments.pop(name, None)
        self.appends.pop(name, None)
        self.drops.discard(name)

    def _check(self, base: Fields) -> None:
        alike = all(base.get(name) == value for name, value in self.expects.items())
        if not alike or self.size not in (None, len(base)):
            raise Conflict(CHANGED)


def _counter(row: Fields, name: str) -> int:
    number = integer(row.get(name))
    if number is None:
        raise Conflict(NOT_A_COUNTER)
    return number


def _list(row: Fields, name: str) -> bytes | None:
    if not is_list(row.get(name)):
        raise Conflict(NOT_A_LIST)
    return row.get(name)
