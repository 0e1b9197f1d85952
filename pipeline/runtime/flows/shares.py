"""The division of a bounded resource by dynamic thresholds (Choudhury and Hahne, 1998).

A key may hold as much as is free, and a group three times as much. So nobody reaches the whole: one key alone gets
half, ten get a tenth each, and there is room for a key that has nothing yet. A key that holds little is never bounded,
so that a backlog of many keys, which fills the whole by itself, stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from pipeline.runtime.flows.fairness import FairKey

T = TypeVar("T")

KEY_FACTOR: Final = 1.0
"""Largest use of one key, as a multiple of what is free."""
LITTLE: Final = 32
"""Units that any key may hold."""
GROUP_FACTOR: Final = 3.0
"""Largest use of one group, as a multiple of what is free, for a group of weight 1."""


class Shares:
    """Counts the use of one resource by group and key. It does no I/O.

    Args:
        capacity: all that there is, in units.
        has_groups: returns True if there is more than one group. A single one may use everything.
        weight: returns the weight of a group.
    """

    __slots__ = ("_by_group", "_by_key", "_has_groups", "_weight", "capacity", "used")

    def __init__(self, capacity: int, has_groups: Callable[[], bool], weight: Callable[[str], float]) -> None:
        self.capacity = capacity
        self.used = 0
        self._has_groups = has_groups
        self._weight = weight
        self._by_group: dict[str, int] = {}
        self._by_key: dict[FairKey, int] = {}

    def used_by(self, fair_key: FairKey) -> int:
        """Return the units that a key uses."""
        return self._by_key.get(fair_key, 0)

    def group_uses(self, group: str) -> bool:
        """Return True if a group uses anything."""
        return group in self._by_group

    def fits(self, fair_key: FairKey, units: int = 1) -> bool:
        """Return True if a key may use more. A little of a key always fits, unless its group has too much."""
        return not self.key_is_full(fair_key, units) and self.group_fits(fair_key[0], units)

    def key_is_full(self, fair_key: FairKey, units: int = 1) -> bool:
        """Return True if a key uses all that a single one may."""
        mine = self._by_key.get(fair_key, 0)
        return mine >= LITTLE and mine + units > (self.capacity - self.used) * KEY_FACTOR

    def group_fits(self, group: str, units: int = 1) -> bool:
        """Return True if a group may use more, whichever key of it."""
        taken = self._by_group.get(group, 0)
        free = self.capacity - self.used
        return not taken or group_may_use(taken, units, free, self._has_groups, self._weight, group)

    def add(self, fair_key: FairKey, units: int = 1) -> None:
        """Note that a key uses more."""
        self.used += units
        self._by_key[fair_key] = self._by_key.get(fair_key, 0) + units
        self._by_group[fair_key[0]] = self._by_group.get(fair_key[0], 0) + units

    def remove(self, fair_key: FairKey, units: int = 1) -> None:
        """Note that a key uses less."""
        self.used -= units
        _subtract(self._by_key, fair_key, units)
        _subtract(self._by_group, fair_key[0], units)


def group_may_use(
    taken: int, units: int, free: int, has_groups: Callable[[], bool], weight: Callable[[str], float], group: str
) -> bool:
    """Return True if a group that has taken something may use more."""
    # The cheap comparisons first: most groups use little.
    return taken + units <= free or not has_groups() or taken + units <= free * GROUP_FACTOR * max(1.0, weight(group))


def _subtract(counts: dict[T, int], name: T, units: int) -> None:
    left = counts[name] - units
    if left:
        counts[name] = left
    else:
        del counts[name]
