"""The surroundings of a flow in memory: partitions that stay, a publisher that keeps its records, tables in dicts."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from faust.types import TP

from pipeline import clock
from pipeline.runtime.flows.commit_callbacks import Callback, CommitCallbacks
from pipeline.runtime.flows.fetch_buffer import FetchBuffer
from pipeline.runtime.kafka.accumulator import RecordAccumulator
from pipeline.runtime.kafka.publisher import BatchPublisher
from pipeline.runtime.process.lease import MembershipLease
from pipeline.runtime.process.liveness import Liveness
from pipeline.runtime.quarantine.exclusive import ProcessExclusivity
from pipeline.runtime.quarantine.quarantine import Quarantine
from pipeline.runtime.tables.fencing import OffsetRange
from pipeline.runtime.tables.views import TableWrite
from pipeline.topics.records import Output, Record


class InMemoryAssignment:
    """Partitions that belong to this process for ever (`pipeline.runtime.flows.context.Assignment`).

    Attributes:
        assigned: the partitions, of each topic.
        working: tokens of unfinished work.
        positions: by partition, the offset below which everything is finished.
    """

    def __init__(self) -> None:
        self.epoch = 1
        self.assigned: set[int] = {0}
        self.suspend_flow = asyncio.Event()
        self.liveness = Liveness()
        self.lease = MembershipLease(math.inf)
        self.lease.renew(clock.now())
        self.buffers: dict[str, FetchBuffer] = {}
        self.quarantine = Quarantine("in-memory", self, ProcessExclusivity())
        self.working: set[object] = set()
        self.positions: dict[TP, int] = {}
        self._moved = asyncio.Event()
        self._callbacks = CommitCallbacks()

    async def commit_notes(self) -> bool:
        """Return True: there is nothing to keep."""
        return True

    def committed(self, topic: str) -> dict[int, int]:
        """Return the position of each partition of a topic."""
        return {partition: self.positions.get(TP(topic, partition), 0) for partition in self.assigned}

    def begin_work(self) -> object:
        """Return a token for work that begins."""
        token = object()
        self.working.add(token)
        return token

    def end_work(self, token: object) -> None:
        """End the work of a token."""
        self.working.remove(token)

    def mark_processed(self, tp: TP, position: int, epoch: int) -> None:
        """Set the position of a partition, as a commit would."""
        if epoch == self.epoch:
            self.positions[tp] = position
            self._moved.set()

    def when_committed(self, tp: TP, offset: int, epoch: int, then: Callback) -> None:
        """Call `then` once `offset` is committed."""
        if epoch == self.epoch:
            self._callbacks.add(tp, offset, then)

    def commit(self) -> None:
        """Commit the positions."""
        for tp, position in self.positions.items():
            self._callbacks.committed(tp, position)

    async def wait_for(self, positions: Mapping[TP, int]) -> None:
        """Wait until these positions are reached."""
        while positions.items() - self.positions.items():
            await self._moved.wait()
            self._moved.clear()


class OutputList(RecordAccumulator):
    """Outputs in a list, in place of the broker's batches."""

    def __init__(self, outputs: Iterable[Output] = ()) -> None:
        super().__init__({}, 0, {})
        self.outputs: list[Output] = []
        self.extend(outputs)

    def extend(self, outputs: Iterable[Output]) -> None:
        """Add outputs in order."""
        for output in outputs:
            self.outputs.append(output)
            self.size += len(output[0].value)


class InMemoryPublisher(BatchPublisher):
    """Keeps what it gets.

    Attributes:
        records: every published record, in order.
    """

    def __init__(self) -> None:
        super().__init__(None)
        self.records: list[Record] = []

    async def prefetch_metadata(self, topics: Iterable[str]) -> None:
        """Return at once: every topic exists."""

    def new_accumulator(self, outputs: Iterable[Output] = ()) -> OutputList:
        """Return a list that stands for an accumulator."""
        return OutputList(outputs)

    async def send(self, accumulator: RecordAccumulator) -> list[Output]:
        """Keep all outputs. Return none as rejected."""
        assert isinstance(accumulator, OutputList)
        self.records += [record for record, _ in accumulator.outputs]
        return []

    async def publish_changelog(
        self, topics: dict[str, str], writes: Sequence[TableWrite]
    ) -> dict[tuple[str, int], OffsetRange]:
        """Return no ranges: there is no changelog."""
        return {(table, partition): OffsetRange(0, 0, 1) for table, partition, _, _ in writes}


class MemoryTable:
    """A table whose partitions are dicts (`pipeline.runtime.tables.tables.LocalTable`)."""

    def __init__(self, changelog: str = "changelog") -> None:
        self.changelog = changelog
        self._partitions: dict[int, dict[bytes, bytes]] = {}

    def partition(self, partition: int) -> dict[bytes, bytes]:
        """Return the rows of a partition."""
        return self._partitions.setdefault(partition, {})

    def scan(self, partition: int, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Return the rows of a partition from the key `start` on, in order."""
        rows = self.partition(partition)
        return iter([(key, rows[key]) for key in sorted(rows) if key >= start])

    def apply(self, writes: Iterable[TableWrite], ranges: Mapping[int, OffsetRange]) -> None:
        """Apply writes that were published."""
        for _, partition, key, value in writes:
            if value:
                self.partition(partition)[key] = value
            else:
                self.partition(partition).pop(key, None)
