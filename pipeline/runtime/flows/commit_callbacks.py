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

    def add(self, tp: TP, offset: int, then: Callback) -> None:
        """Call `then` once `offset` is committed."""
        self._waiting[tp].append((offset, then))

    def committed(self, tp: TP, position: int) -> None:
        """Call the callbacks of `tp` below `position`, which is committed."""
        waiting = self._waiting.pop(tp, [])
        if left := [each for each in waiting if each[0] >= position]:
            self._waiting[tp] = left
        for offset, then in waiting:
            if offset < position:
                then()

    def clear(self) -> None:
        self._waiting.clear()
