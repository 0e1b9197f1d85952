"""The change of one row, as a value that can wait for a commit."""

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

    They stay operations until they reach the store, so two conversations that increment one counter lose nothing.

    Attributes:
        key: full name of the row (`pipeline.state.keys`).
        expects: precondition: field → its JSON (None: the field is missing). If one does not hold, nothing is applied.
        size: precondition: the number of fields of the row (0: no row); None for any number.
        remove: True to drop the row's fields first, and its expiry.
        sets: field → JSON.
        increments: field → the amount.
        appends: field → JSON values, to be joined by commas.
        drops: fields to delete. A row whose last field is deleted stays, as an empty one.
        ttl: seconds until the row expires; None keeps its expiry.
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
        """Return the row that `base` becomes; None if there is none afterwards.

        Raises `Conflict`, as the Lua script does.
        """
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
        """Return those fields of `row` that are deleted."""
        return self.drops & row.keys()

    def expect_row(self, row: Fields | None) -> None:
        """Require the row to be exactly this, or to be missing."""
        self.expects = dict(row or {})
        self.size = len(self.expects)

    def expect_field(self, name: str, value: bytes | None) -> None:
        """Require the field to be this, unless there is a requirement for it already."""
        self.expects.setdefault(name, value)

    def expect_as(self, other: RowChange) -> None:
        """Take over the preconditions of another change of the same row."""
        self.expects, self.size = other.expects, other.size

    def set_field(self, name: str, value: bytes) -> None:
        """Set a field."""
        self._forget(name)
        self.sets[name] = value

    def drop(self, name: str) -> None:
        """Delete a field."""
        self._forget(name)
        self.drops.add(name)
        self.sets[EMPTY] = FILLER

    def increment(self, name: str, by: int) -> None:
        """Add to a counter."""
        if name in self.drops:
            self.set_field(name, encode(by))
        elif name in self.sets:
            self.sets[name] = encode(_counter(self.sets, name) + by)
        else:
            self.increments[name] = self.increments.get(name, 0) + by

    def append(self, name: str, item: bytes) -> None:
        """Append to a list."""
        if name in self.drops:
            self.set_field(name, appended(None, item))
        elif name in self.sets:
            self.sets[name] = appended(_list(self.sets, name), item)
        else:
            self.appends.setdefault(name, []).append(item)

    def _forget(self, name: str) -> None:
        """Undo the earlier operations of this change on a field."""
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
