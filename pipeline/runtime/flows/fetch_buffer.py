"""Fetched records that wait for their flow.

A buffer is bounded in records and in bytes. While a partition's share is full, the partition is not fetched.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from math import inf
from typing import Any, Protocol

from faust.types import TP

MAX_RECORDS = 5_000
"""Records that are buffered of each partition. The rest stays in Kafka."""
MAX_BYTES = 2 * 1024 * 1024
"""Bytes that are buffered of each partition."""
BATCH_BYTES = 8 * 1024 * 1024
"""Bytes that are taken at once, at most."""


class RecordGate(Protocol):
    """Decides which records of a partition may be taken."""

    def first_blocked(self, tp: TP) -> float:
        """Return the first offset that may not be taken; infinity if all may."""

    def on_blocked(self, tp: TP) -> None:
        """Note that records wait which may not be taken yet."""

    def on_taken(self, tp: TP, offsets: Sequence[int]) -> None:
        """Note that records were taken of a partition with a first blocked offset."""

    def on_returned(self, tp: TP, offsets: Sequence[int]) -> None:
        """Note that taken records have not run, and wait again."""


class OpenGate:
    """The gate of a buffer without a quarantine: all records may be taken."""

    def first_blocked(self, _: TP) -> float:
        return inf

    def on_blocked(self, tp: TP) -> None: ...
    def on_taken(self, tp: TP, offsets: Sequence[int]) -> None: ...
    def on_returned(self, tp: TP, offsets: Sequence[int]) -> None: ...


class FetchedChunk:
    """Records that were fetched together. Each is decoded when it is taken.

    Attributes:
        count: number of records left, at most; 0 if there is none.
        size: their bytes, estimated by the average.
    """

    __slots__ = ("_next", "_on_exhausted", "_records", "count", "size")

    def __init__(
        self, records: Iterable[Any], count: int, size: int, on_exhausted: Callable[[], object] = lambda: None
    ) -> None:
        """`on_exhausted` is called once, when the last record was taken or if there is none."""
        self._records = iter(records)
        self._on_exhausted = on_exhausted
        self.size = size
        self._next = self._read_next()
        self.count = max(count, 1) if self._next else 0

    @property
    def offset(self) -> int:
        """The offset of the first record."""
        return int(self._next[0].offset)

    @property
    def timestamp(self) -> int:
        """The timestamp of the first record, in ms."""
        return int(self._next[0].timestamp)

    def take(self, count: int) -> list[Any]:
        """Return the next `count` records, at least one."""
        taken = [*self._next, *islice(self._records, count - 1)]
        self._next = self._read_next()
        left = max(self.count - len(taken), 1) if self._next else 0
        self.size = self.size * left // self.count
        self.count = left
        return taken

    def _read_next(self) -> list[Any]:
        found = list(islice(self._records, 1))
        if not found:
            self._on_exhausted()
        return found


class PartitionBuffer:
    """The buffered records of one partition."""

    __slots__ = ("chunks", "records", "size")

    def __init__(self) -> None:
        self.chunks: deque[FetchedChunk] = deque()
        self.records = 0
        self.size = 0

    def add(self, chunk: FetchedChunk) -> None:
        self.chunks.append(chunk)
        self.records += chunk.count
        self.size += chunk.size

    def give_back(self, chunk: FetchedChunk) -> None:
        self.chunks.appendleft(chunk)
        self.records += chunk.count
        self.size += chunk.size

    def take(self, limit: int, size: int) -> list[Any]:
        """Return up to `limit` records and about `size` bytes, at least one record."""
        taken: list[Any] = []
        least = self.size - size
        while self.chunks and len(taken) < limit and (self.size > least or not taken):
            chunk = self.chunks[0]
            count, heavy = chunk.count, chunk.size
            taken += chunk.take(min(limit - len(taken), _fitting(chunk, self.size - least)))
            self.size -= heavy - chunk.size
            self.records -= count - chunk.count
            if not chunk.count:
                self.chunks.popleft()
        return taken

    def take_below(self, until: float, limit: int, size: int) -> list[Any]:
        """Return the same, of the records before the offset `until`."""
        taken: list[Any] = []
        least = self.size - size
        while self.chunks and self.chunks[0].offset < until and len(taken) < limit and (self.size > least or not taken):
            taken += self.take(1, 0)
        return taken


def _fitting(chunk: FetchedChunk, room: int) -> int:
    """Return how many records of a chunk fit into `room` bytes by their average size, at least one."""
    return max(1, room * chunk.count // chunk.size) if chunk.size else chunk.count


class FetchBuffer:
    """The records that one flow has not taken yet, by partition.

    Attributes:
        not_empty: set while there is a record to take.
        new_data: set when records are added. The flow that waits for it clears it.
        has_capacity: set when a partition that was full has room again.
        size: bytes of all records.
        gate: decides which records may be taken. A changed decision takes effect at `apply_gate`.
    """

    def __init__(self, limit: int = MAX_RECORDS, limit_bytes: int = MAX_BYTES) -> None:
        self.gate: RecordGate = OpenGate()
        self.not_empty = asyncio.Event()
        self.new_data = asyncio.Event()
        self.has_capacity = asyncio.Event()
        self.size = 0
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._ready: dict[TP, PartitionBuffer] = {}
        """Partitions whose next record may be taken."""
        self._blocked: dict[TP, PartitionBuffer] = {}
        """Partitions whose next record may not be taken yet."""

    def __len__(self) -> int:
        return sum(buffer.records for buffer in (*self._ready.values(), *self._blocked.values()))

    def full(self, tp: TP) -> bool:
        """Return True if no more of the partition should be fetched."""
        buffer = self._ready.get(tp) or self._blocked.get(tp)
        return buffer is not None and (buffer.records >= self._limit or buffer.size >= self._limit_bytes)

    def add(self, tp: TP, records: FetchedChunk | Sequence[Any], size: int = 0) -> None:
        """Add records that were fetched together. `size` is the number of bytes of a list."""
        chunk = records if isinstance(records, FetchedChunk) else FetchedChunk(records, len(records), size)
        if chunk.count:
            buffer = self._ready.get(tp) or self._blocked.pop(tp, None) or PartitionBuffer()
            buffer.add(chunk)
            self.size += chunk.size
            self._place(tp, buffer)

    def apply_gate(self) -> None:
        """Sort the partitions anew into ready and blocked ones, after the gate has changed its decision."""
        everything = {**self._ready, **self._blocked}
        self._ready.clear()
        self._blocked.clear()
        self.not_empty.clear()
        for tp, buffer in everything.items():
            self._place(tp, buffer)

    def blocked_heads(self) -> dict[TP, int]:
        """Return the offset of the next record of each blocked partition."""
        return {tp: buffer.chunks[0].offset for tp, buffer in self._blocked.items()}

    def head(self, tp: TP) -> int | None:
        """Return the offset of the partition's next record, or None."""
        buffer = self._ready.get(tp) or self._blocked.get(tp)
        return buffer.chunks[0].offset if buffer is not None else None

    def head_timestamps(self) -> dict[TP, int]:
        """Return the timestamp of the next record of each partition that has one, in ms."""
        return {tp: buffer.chunks[0].timestamp for tp, buffer in (*self._ready.items(), *self._blocked.items())}

    def _place(self, tp: TP, buffer: PartitionBuffer) -> None:
        until = self.gate.first_blocked(tp)
        if until == inf or buffer.chunks[0].offset < until:
            self._ready[tp] = buffer
            self.not_empty.set()
            self.new_data.set()
        else:
            self._blocked[tp] = buffer
            self.gate.on_blocked(tp)

    def pop(self, tp: TP, limit: int, size: int = BATCH_BYTES) -> list[Any]:
        """Return up to `limit` records of one partition, in order, and about `size` bytes; at least one, if any."""
        buffer, was_full = self._ready.get(tp), self.full(tp)
        if buffer is None or limit <= 0:
            return []
        before, until = buffer.size, self.gate.first_blocked(tp)
        if until == inf:
            taken = buffer.take(limit, size)
        else:
            taken = buffer.take_below(until, limit, size)
            self.gate.on_taken(tp, [record.offset for record in taken])
        self.size -= before - buffer.size
        if not buffer.records:
            del self._ready[tp]
        elif until != inf and buffer.chunks[0].offset >= until:
            del self._ready[tp]
            self._place(tp, buffer)
        if not self._ready:
            self.not_empty.clear()
        if was_full and not self.full(tp):
            self.has_capacity.set()
        return taken

    def pop_next(self, limit: int, size: int = BATCH_BYTES) -> tuple[TP, list[Any]]:
        """Return the same of the next partition in turn. There must be one."""
        tp = next(iter(self._ready))
        taken = self.pop(tp, limit, size)
        if tp in self._ready:
            self._ready[tp] = self._ready.pop(tp)
        return tp, taken

    def push_back(self, tp: TP, records: Sequence[Any]) -> None:
        """Put records back that were just taken. They come first again."""
        size = sum(len(record.value or b"") for record in records)
        buffer = self._ready.get(tp) or self._blocked.pop(tp, None) or PartitionBuffer()
        buffer.give_back(FetchedChunk(records, len(records), size))
        self.size += size
        self.gate.on_returned(tp, [record.offset for record in records])
        self._place(tp, buffer)

    def ready_partitions(self) -> list[TP]:
        """Return the partitions that have a record to take."""
        return list(self._ready)

    def clear(self) -> None:
        """Drop all records."""
        self._ready.clear()
        self._blocked.clear()
        self.size = 0
        self.not_empty.clear()
        self.has_capacity.set()
