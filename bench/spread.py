"""Several measurements of the same thing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple


class Spread(NamedTuple):
    """The spread of the rounds: the median, and their distance."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        found = sorted(values)
        return cls(median(found), found[0], found[-1])

    def text(self, digits: int = 0) -> str:
        """`median (lowest-highest)`, with thousands separators."""
        middle, low, high = (f"{value:,.{digits}f}" for value in self)
        return middle if low == high else f"{middle} ({low}-{high})"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` (0 to 1) of the values do not exceed (nearest rank). Raises for none."""
    if not values:
        raise ValueError("no values")
    ranked = sorted(values)
    return ranked[max(0, min(len(ranked), -int(-share * len(ranked) // 1)) - 1)]
