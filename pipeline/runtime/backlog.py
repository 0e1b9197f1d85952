"""Record lists as the client fetched them, waiting for their flow.

Bounded in records
and in bytes: when full, a partition is not fetched.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from faust.types import TP

Records = Sequence[Any]
LIMIT = 5_000
"""Records that a flow keeps ready for each partition; the rest stays in Kafka."""
LIMIT_BYTES = 2 * 1024 * 1024
"""Bytes that it keeps ready for each partition."""
BATCH_BYTES = 8 * 1024 * 1024
"""Bytes that are taken at once."""


class Waiting:
    """What waits of one partition."""

    __slots__ = ("lists", "records", "size")

    def __init__(self) -> None:
        self.lists: deque[tuple[Records, int]] = deque()
        self.records = 0
        self.size = 0

    def add(self, records: Records, size: int) -> None:
        self.lists.append((records, size))
        self.records += len(records)
        self.size += size

    def take(self, limit: int, size: int) -> tuple[list[Any], int]:
        """Up to `limit` records and about `size` bytes, one record at least; with their bytes."""
        taken: list[Any] = []
        weight = 0
        while self.lists and len(taken) < limit and (weight < size or not taken):
            head, heavy = self.lists.popleft()
            room = min(limit - len(taken), _fitting(head, heavy, size - weight))
            share = heavy * min(room, len(head)) // len(head)
            if len(head) > room:
                self.lists.appendleft((head[room:], heavy - share))
            taken.extend(head[:room])
            weight += share
        self.records -= len(taken)
        self.size -= weight
        return taken, weight


def _fitting(records: Records, size: int, room: int) -> int:
    """How many records of a list fit, by their average; one at least."""
    return max(1, room * len(records) // size) if size else len(records)


class Backlog:
    """What one flow has not taken yet, by partition.

    Attributes:
        some: set while there is something to take.
        arrived: set when something comes in; who waits for it clears it.
        room: set when a partition that was full has room again.
    """

    def __init__(self, limit: int = LIMIT, limit_bytes: int = LIMIT_BYTES) -> None:
        self.some = asyncio.Event()
        self.arrived = asyncio.Event()
        self.room = asyncio.Event()
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._held: dict[TP, Waiting] = {}

    def __len__(self) -> int:
        return sum(held.records for held in self._held.values())

    def full(self, tp: TP) -> bool:
        held = self._held.get(tp)
        return held is not None and (held.records >= self._limit or held.size >= self._limit_bytes)

    def add(self, tp: TP, records: Records, size: int = 0) -> None:
        """Takes in a list of records as it was fetched; `size` is the bytes of all."""
        self._held.setdefault(tp, Waiting()).add(records, size)
        self.some.set()
        self.arrived.set()

    def take(self, tp: TP, limit: int, size: int = BATCH_BYTES) -> list[Any]:
        """Up to `limit` records of one partition, in order, and about `size` bytes; one at least if any."""
        return self._take(tp, limit, size)[0]

    def take_all(self, limit: int, size: int = BATCH_BYTES) -> dict[TP, list[Any]]:
        """Up to `limit` records and about `size` bytes of all partitions alike; who is served first is last next time.

        Of all alike, because the broker takes the outputs of a batch side by side for each partition, and those of one
        partition one behind the other.
        """
        batch: dict[TP, list[Any]] = {}
        for tp, share in self._shares(limit).items():
            if size <= 0:
                break
            batch[tp], weight = self._take(tp, share, size)
            size -= weight
            if tp in self._held:
                self._held[tp] = self._held.pop(tp)
        return batch

    def _shares(self, limit: int) -> dict[TP, int]:
        """How many records of each partition make up `limit`: what one has not is the others'."""
        shares = dict.fromkeys(self._held, 0)
        fewest_first = sorted(self._held, key=lambda tp: self._held[tp].records)
        for left, tp in zip(range(len(shares), 0, -1), fewest_first, strict=True):
            shares[tp] = min(self._held[tp].records, -(-limit // left))
            limit -= shares[tp]
        return {tp: share for tp, share in shares.items() if share}

    def waiting(self) -> list[TP]:
        """The partitions that have something."""
        return list(self._held)

    def clear(self) -> None:
        self._held.clear()
        self.some.clear()
        self.room.set()

    def _take(self, tp: TP, limit: int, size: int) -> tuple[list[Any], int]:
        held, was_full = self._held.get(tp), self.full(tp)
        if held is None or limit <= 0:
            return [], 0
        taken = held.take(limit, size)
        if not held.records:
            del self._held[tp]
        if not self._held:
            self.some.clear()
        if was_full and not self.full(tp):
            self.room.set()
        return taken
