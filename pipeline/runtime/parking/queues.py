"""Parked records in memory: one small object per queue, and the records that were loaded from it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final, NamedTuple

from pipeline.runtime.flows.fairness import FairKey, group_key
from pipeline.runtime.process.lag import earliest


class ParkedSize(NamedTuple):
    """The size of some parked records.

    Attributes:
        size: bytes of their rows.
        oldest: timestamp of the oldest one in ms; None: there is none, or it is unknown.
    """

    records: int = 0
    size: int = 0
    oldest: int | None = None

    def plus(self, other: ParkedSize) -> ParkedSize:
        """Return the size of both together."""
        return ParkedSize(self.records + other.records, self.size + other.size, earliest(self.oldest, other.oldest))


NOTHING_PARKED: Final = ParkedSize()


@dataclass(slots=True, eq=False)
class ParkedQueue:
    """The queue of one key, or of one group, on one partition.

    Attributes:
        fair_key: its key; that of its group (`group_key`) for the queue of a group.
        digest: its prefix in the table.
        rows: rows in the table, once all commits under way are done.
        size: bytes of their values.
        unsaved: offsets whose rows are not durable yet.
        loaded: offsets of the records that are in memory.
        finished: offsets of finished records whose rows are not deleted yet.
        cursor: offset from which the next records are loaded.
        recovered: True if it was read from the table: its records may arrive again from their topic.
        room_from: offset of its first record that waits for room, in the window.
        tag: its digest under the key of masks, once it was listed.
        oldest: timestamp of its first record, in ms; None: unknown.
        oldest_from: value of `front` when `oldest` was found out.
    """

    fair_key: FairKey
    digest: bytes
    partition: int
    rows: int = 0
    size: int = 0
    unsaved: set[int] = field(default_factory=set)
    loaded: set[int] = field(default_factory=set)
    finished: set[int] = field(default_factory=set)
    cursor: int = 0
    recovered: bool = False
    room_from: float = math.inf
    tag: bytes = b""
    oldest: int | None = None
    oldest_from: int = -1

    @property
    def is_group(self) -> bool:
        """True if its records are those of several keys of one group."""
        return not self.fair_key[1]

    @property
    def front(self) -> int:
        """Offset below which the queue has no record."""
        return min(self.cursor, min(self.loaded, default=self.cursor))

    @property
    def lowest(self) -> int:
        """Offset below which the table has no row of the queue."""
        return min(self.front, min(self.unsaved, default=self.front), min(self.finished, default=self.front))

    @property
    def loadable_until(self) -> float:
        """Offset of its first record that is not in the table yet. What comes behind it is not loaded before it."""
        return min(self.room_from, min(self.unsaved, default=math.inf))

    @property
    def first_waiting(self) -> float:
        """Offset of its first record that is not in memory; infinity: there is none."""
        return math.inf if self.drained else min(self.cursor, self.loadable_until)

    @property
    def durable(self) -> int:
        """Number of records whose rows are durable."""
        return self.rows - len(self.unsaved)

    @property
    def waiting(self) -> int:
        """Number of records that can be loaded."""
        return self.rows - len(self.loaded) - len(self.unsaved)

    @property
    def drained(self) -> bool:
        """True if all of its records are in memory, so that a further one may follow them there."""
        return self.rows == len(self.loaded)


class Rotation:
    """The queues of one partition in turn. Queues that have nothing to load, or are held, are left out.

    The queue of a group may have records of any of its keys. So nothing of a key is loaded before what stands before
    it in the queue of its group.

    Attributes:
        position: all records of the topic below this offset were taken, by this process or an earlier one.
        has_woken: True if a queue that waited for the one of its group may go on. Set it to False to be told again.
    """

    def __init__(self, position: int) -> None:
        self.position = position
        self.queues: dict[FairKey, ParkedQueue] = {}
        self._ready: dict[FairKey, None] = {}
        self._until_taken: dict[FairKey, None] = {}
        self._behind_group: defaultdict[str, list[tuple[int, FairKey]]] = defaultdict(list)
        self.has_woken = False

    def reach(self, queue: ParkedQueue) -> float:
        """Return the offset from which on a queue has to wait for the one of its group."""
        if queue.is_group or (group := self.queues.get(group_key(queue.fair_key[0]))) is None:
            return math.inf
        return group.first_waiting

    def rest_behind_group(self, queue: ParkedQueue, offset: int) -> None:
        """Leave a queue out until its group's one has nothing before `offset` any more."""
        self.rest(queue.fair_key)
        heappush(self._behind_group[queue.fair_key[0]], (offset, queue.fair_key))

    def wake_behind(self, group: str) -> None:
        """Put the queues back that have waited for their group's one for long enough."""
        if not (waiting := self._behind_group.get(group)):
            return
        queue = self.queues.get(group_key(group))
        first = math.inf if queue is None else queue.first_waiting
        while waiting and waiting[0][0] < first:
            self.wake(heappop(waiting)[1])
            self.has_woken = True

    def move(self, position: int) -> None:
        """Note that all records below `position` were taken."""
        self.position = max(self.position, position)
        self._ready |= self._until_taken
        self._until_taken.clear()

    def rest_until_taken(self, fair_key: FairKey) -> None:
        """Leave a queue out until more records of the topic are taken."""
        self.rest(fair_key)
        self._until_taken[fair_key] = None

    def wake(self, fair_key: FairKey) -> None:
        """Put a queue back into the rotation, if it has anything to load."""
        queue = self.queues.get(fair_key)
        if queue is not None and queue.waiting > 0:
            self._ready[fair_key] = None

    def wake_group(self, group: str) -> None:
        """Put all queues of a group back."""
        for fair_key in self.queues:
            if fair_key[0] == group:
                self.wake(fair_key)

    def rest(self, fair_key: FairKey) -> None:
        """Leave a queue out until `wake`."""
        self._ready.pop(fair_key, None)

    def remove(self, fair_key: FairKey) -> None:
        """Forget a queue that has no rows."""
        del self.queues[fair_key]
        self._ready.pop(fair_key, None)
        self._until_taken.pop(fair_key, None)
        self.wake_behind(fair_key[0])

    def __bool__(self) -> bool:
        return bool(self._ready)

    def in_turn(self) -> Iterator[ParkedQueue]:
        """Return each ready queue once, and put each behind the others."""
        for fair_key in list(self._ready):
            if fair_key in self._ready:
                self._ready[fair_key] = self._ready.pop(fair_key)
                yield self.queues[fair_key]


def total(queues: Iterable[ParkedQueue]) -> tuple[int, int]:
    """Return the number of rows and of bytes of these queues."""
    rows = size = 0
    for queue in queues:
        rows += queue.rows
        size += queue.size
    return rows, size
