"""Counting by name, in bounded memory: names of users, types and error codes come from outside."""

from __future__ import annotations

from typing import Generic, TypeVar

Name = TypeVar("Name", str, int)


class BoundedCounter(Generic[Name]):
    """Counts by name, for at most `limit` names; further names are counted together under the name `others`."""

    def __init__(self, others: Name, limit: int = 1000) -> None:
        self._others: Name = others
        self._limit = limit
        self._counts: dict[Name, int] = {}

    def add(self, name: Name) -> None:
        """Count a name."""
        if name not in self._counts and len(self._counts) >= self._limit:
            name = self._others
        self._counts[name] = self._counts.get(name, 0) + 1

    def counts(self) -> dict[Name, int]:
        """Return the counts by name; a copy."""
        return dict(self._counts)
