"""What was fetched, waiting for its flow. Bounded in records and in bytes: when full, a partition is not fetched."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from math import inf
from typing import Any, Protocol

from faust.types import TP

LIMIT = 5_000
"""Records that a flow keeps ready for each partition; the rest stays in Kafka."""
LIMIT_BYTES = 2 * 1024 * 1024
"""Bytes that it keeps ready for each partition."""
BATCH_BYTES = 8 * 1024 * 1024
"""Bytes that are taken at once."""


class RecordGate(Protocol):
    """Decides how far a partition's records may be taken."""

    def until(self, tp: TP) -> float:
        """The offset before which they may; infinite where all may."""

    def barred(self, tp: TP) -> None:
        """Records wait that may not be taken."""

    def took(self, tp: TP, offsets: Sequence[int]) -> None:
        """Records of a partition with an end were taken."""

    def gave_back(self, tp: TP, offsets: Sequence[int]) -> None:
        """Records that were taken have not run, and wait again."""


class OpenGate:
    """The gate of a backlog that nobody guards."""

    def until(self, _: TP) -> float:
        return inf

    def barred(self, tp: TP) -> None: ...
    def took(self, tp: TP, offsets: Sequence[int]) -> None: ...
    def gave_back(self, tp: TP, offsets: Sequence[int]) -> None: ...


class FetchedChunk:
    """Records that were fetched together and are made as they are taken.

    Attributes:
        count: how many are left, at most; 0 when none is.
        size: their bytes, by their average.
    """

    __slots__ = ("_ahead", "_records", "count", "size")

    def __init__(self, records: Iterable[Any], count: int, size: int) -> None:
        self._records = iter(records)
        self._ahead = list(islice(self._records, 1))
        self.count = max(count, 1) if self._ahead else 0
        self.size = size

    @property
    def offset(self) -> int:
        """The first record's."""
        return int(self._ahead[0].offset)

    def take(self, count: int) -> list[Any]:
        """The next `count`, one at least."""
        taken = [*self._ahead, *islice(self._records, count - 1)]
        self._ahead = list(islice(self._records, 1))
        left = max(self.count - len(taken), 1) if self._ahead else 0
        self.size = self.size * left // self.count
        self.count = left
        return taken


class PartitionBuffer:
    """What waits of one partition."""

    __slots__ = ("records", "runs", "size")

    def __init__(self) -> None:
        self.runs: deque[FetchedChunk] = deque()
        self.records = 0
        self.size = 0

    def add(self, run: FetchedChunk) -> None:
        self.runs.append(run)
        self.records += run.count
        self.size += run.size

    def give_back(self, run: FetchedChunk) -> None:
        self.runs.appendleft(run)
        self.records += run.count
        self.size += run.size

    def take(self, limit: int, size: int) -> list[Any]:
        """Up to `limit` records and about `size` bytes, one record at least."""
        taken: list[Any] = []
        least = self.size - size
        while self.runs and len(taken) < limit and (self.size > least or not taken):
            run = self.runs[0]
            count, heavy = run.count, run.size
            taken += run.take(min(limit - len(taken), _fitting(run, self.size - least)))
            self.size -= heavy - run.size
            self.records -= count - run.count
            if not run.count:
                self.runs.popleft()
        return taken

    def take_below(self, until: float, limit: int, size: int) -> list[Any]:
        """The same, of the records with offsets before `until`."""
        taken: list[Any] = []
        least = self.size - size
        while self.runs and self.runs[0].offset < until and len(taken) < limit and (self.size > least or not taken):
            taken += self.take(1, 0)
        return taken


def _fitting(run: FetchedChunk, room: int) -> int:
    """How many records of a run fit, by their average; one at least."""
    return max(1, room * run.count // run.size) if run.size else run.count


class FetchBuffer:
    """What one flow has not taken yet, by partition.

    Attributes:
        some: set while there is something to take.
        arrived: set when something comes in; who waits for it clears it.
        room: set when a partition that was full has room again.
        size: bytes of all that waits.
        gate: what it says holds until `reconsider` is called.
    """

    def __init__(self, limit: int = LIMIT, limit_bytes: int = LIMIT_BYTES) -> None:
        self.gate: RecordGate = OpenGate()
        self.not_empty = asyncio.Event()
        self.new_data = asyncio.Event()
        self.has_capacity = asyncio.Event()
        self.size = 0
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._held: dict[TP, PartitionBuffer] = {}
        """Partitions whose next record may be taken."""
        self._barred: dict[TP, PartitionBuffer] = {}
        """Partitions whose next record may not be taken yet."""

    def __len__(self) -> int:
        return sum(held.records for held in (*self._held.values(), *self._barred.values()))

    def full(self, tp: TP) -> bool:
        held = self._held.get(tp) or self._barred.get(tp)
        return held is not None and (held.records >= self._limit or held.size >= self._limit_bytes)

    def add(self, tp: TP, records: FetchedChunk | Sequence[Any], size: int = 0) -> None:
        """Takes in what was fetched together. Of a list, `size` is the bytes of all."""
        run = records if isinstance(records, FetchedChunk) else FetchedChunk(records, len(records), size)
        if run.count:
            waiting = self._held.get(tp) or self._barred.pop(tp, None) or PartitionBuffer()
            waiting.add(run)
            self.size += run.size
            self._place(tp, waiting)

    def apply_gate(self) -> None:
        """The gate says something else now."""
        everything = {**self._held, **self._barred}
        self._held.clear()
        self._barred.clear()
        self.not_empty.clear()
        for tp, waiting in everything.items():
            self._place(tp, waiting)

    def blocked_heads(self) -> dict[TP, int]:
        """The offset of the next record of each partition that has one which may not be taken yet."""
        return {tp: waiting.runs[0].offset for tp, waiting in self._barred.items()}

    def head(self, tp: TP) -> int | None:
        """The offset of the partition's next record; None while there is none."""
        waiting = self._held.get(tp) or self._barred.get(tp)
        return waiting.runs[0].offset if waiting is not None else None

    def _place(self, tp: TP, waiting: PartitionBuffer) -> None:
        until = self.gate.until(tp)
        if until == inf or waiting.runs[0].offset < until:
            self._held[tp] = waiting
            self.not_empty.set()
            self.new_data.set()
        else:
            self._barred[tp] = waiting
            self.gate.barred(tp)

    def pop(self, tp: TP, limit: int, size: int = BATCH_BYTES) -> list[Any]:
        """Up to `limit` records of one partition, in order, and about `size` bytes; one at least if any."""
        held, was_full = self._held.get(tp), self.full(tp)
        if held is None or limit <= 0:
            return []
        before, until = held.size, self.gate.until(tp)
        if until == inf:
            taken = held.take(limit, size)
        else:
            taken = held.take_below(until, limit, size)
            self.gate.took(tp, [record.offset for record in taken])
        self.size -= before - held.size
        if not held.records:
            del self._held[tp]
        elif until != inf and held.runs[0].offset >= until:
            del self._held[tp]
            self._place(tp, held)
        if not self._held:
            self.not_empty.clear()
        if was_full and not self.full(tp):
            self.has_capacity.set()
        return taken

    def pop_next(self, limit: int, size: int = BATCH_BYTES) -> tuple[TP, list[Any]]:
        """Up to `limit` records and about `size` bytes of the partition whose turn it is; there must be one."""
        tp = next(iter(self._held))
        taken = self.pop(tp, limit, size)
        if tp in self._held:
            self._held[tp] = self._held.pop(tp)
        return tp, taken

    def push_back(self, tp: TP, records: Sequence[Any]) -> None:
        """Takes back the last of what was just taken: it comes first again."""
        size = sum(len(record.value or b"") for record in records)
        waiting = self._held.get(tp) or self._barred.pop(tp, None) or PartitionBuffer()
        waiting.give_back(FetchedChunk(records, len(records), size))
        self.size += size
        self.gate.gave_back(tp, [record.offset for record in records])
        self._place(tp, waiting)

    def ready_partitions(self) -> list[TP]:
        """The partitions that have something."""
        return list(self._held)

    def clear(self) -> None:
        self._held.clear()
        self._barred.clear()
        self.size = 0
        self.not_empty.clear()
        self.has_capacity.set()
