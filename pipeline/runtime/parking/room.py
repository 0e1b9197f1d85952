"""Records that must be parked while there is no room on the disk: they wait in the window, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator

from pipeline.runtime.flows.fairness import FairKey
from pipeline.runtime.flows.in_flight import InFlightRecord

Waiting = tuple[Hashable, InFlightRecord]
"""An ordering key and a record of it."""


class RoomQueue:
    """The waiting records, by turn key. They stay taken, so a window that is full of them stops its partition."""

    def __init__(self) -> None:
        self._waiting: dict[FairKey, deque[Waiting]] = {}

    def __contains__(self, fair_key: FairKey) -> bool:
        return fair_key in self._waiting

    def clear(self) -> None:
        """Forget all: partitions have moved, and the records will be delivered again."""
        self._waiting.clear()

    def add(self, key: Hashable, item: InFlightRecord) -> None:
        """Let a record wait behind the others of its turn key."""
        self._waiting.setdefault(item.fair_key, deque()).append((key, item))

    def items(self) -> Iterator[InFlightRecord]:
        """Return the waiting records."""
        return (item for queue in self._waiting.values() for _, item in queue)

    def first(self) -> list[InFlightRecord]:
        """Return the first record of each turn key."""
        return [queue[0][1] for queue in self._waiting.values()]

    def pop(self, fair_key: FairKey) -> Iterable[Waiting]:
        """Take out all records of a turn key. Add those again that must still wait."""
        return self._waiting.pop(fair_key)
