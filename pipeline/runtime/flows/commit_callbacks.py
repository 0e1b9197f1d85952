"""Callbacks that wait for the commit of an offset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from faust.types import TP

Callback = Callable[[], None]


class CommitCallbacks:
    """Callbacks by partition and offset, each called once. When partitions move, `clear` forgets them."""

    def __init__(self) -> None:
        self._waiting: dict[TP, list[tuple[int, Callback]]] = defaultdict(list)
        self._positions: dict[TP, int] = {}

    def add(self, tp: TP, offset: int, then: Callback) -> None:
        """Call `then` once `offset` is committed: at once for a parked record, whose offset was committed before."""
        if offset < self._positions.get(tp, 0):
            then()
        else:
            self._waiting[tp].append((offset, then))

    def committed(self, tp: TP, position: int) -> None:
        """Call the callbacks of `tp` below `position`, which is committed."""
        self._positions[tp] = position
        waiting = self._waiting.pop(tp, [])
        if left := [each for each in waiting if each[0] >= position]:
            self._waiting[tp] = left
        for offset, then in waiting:
            if offset < position:
                then()

    def clear(self) -> None:
        self._waiting.clear()
        self._positions.clear()
