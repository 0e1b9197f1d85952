"""The memory of each process during a run: it must not grow with the backlog."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import psutil

EVERY: Final = 1.0
"""Seconds between two looks."""
_MIB: Final = 1024 * 1024

Alive = tuple[str, int]
"""A service's name and the id of its process."""


class Grown(NamedTuple):
    """Resident memory of one service over a run, all its processes one after the other, in MiB.

    Attributes:
        peak: the most that was seen.
        minutes: the most in each minute.
    """

    peak: float
    minutes: Sequence[float]


class Memory:
    """Samples of resident memory, the largest of each minute kept."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._next = self._began
        self._minutes: dict[str, dict[int, float]] = {}

    def look(self, alive: Iterable[Alive]) -> None:
        """To be called again and again; samples once a second."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + EVERY
        minute = int(now - self._began) // 60
        for name, pid in alive:
            seen = self._minutes.setdefault(name, {})
            seen[minute] = max(seen.get(minute, 0.0), resident(pid))

    def grown(self) -> Mapping[str, Grown]:
        """By service."""
        return {
            name: Grown(max(seen.values()), [seen[minute] for minute in sorted(seen)])
            for name, seen in sorted(self._minutes.items())
        }


def resident(pid: int) -> float:
    """MiB; 0 for a process that has ended meanwhile."""
    try:
        return round(psutil.Process(pid).memory_info().rss / _MIB, 1)
    except psutil.NoSuchProcess:
        return 0.0
