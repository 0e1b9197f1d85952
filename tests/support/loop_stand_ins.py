"""What stands for an app and its group in the tests of the loops: partitions move when the test says so."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from pipeline import clock
from pipeline.runtime.faust.consumer import Busy
from pipeline.runtime.flows.chain import Output
from pipeline.runtime.flows.commit_callbacks import CommitCallbacks
from pipeline.runtime.flows.dead_letters import is_dead_letter
from pipeline.runtime.flows.fetch_buffer import FetchBuffer
from pipeline.runtime.flows.retry import RetryPolicy
from pipeline.runtime.process.lease import Lease
from pipeline.runtime.process.liveness import Progress
from pipeline.runtime.quarantine.crash_marker import CrashMarker
from pipeline.runtime.quarantine.exclusive import ProcessExclusivity
from pipeline.runtime.quarantine.quarantine import Quarantine
from pipeline.runtime.tables.fencing import OffsetRange
from pipeline.runtime.tables.views import TableWrite, UncommittedWrites
from pipeline.testing import TestRecord

TP0 = TP("in", 0)


class Group:
    """Stands for the consumer: partitions that stay until `move`."""

    def __init__(self) -> None:
        self.epoch = 1
        self.suspend_flow = asyncio.Event()
        self.working: set[Busy] = set()
        self.positions: dict[TP, int] = {}
        self.progress = Progress()
        self.lease = Lease(math.inf)
        self.lease.renew(clock.now())
        self._callbacks = CommitCallbacks()
        self.backlogs: dict[str, FetchBuffer] = {}
        self.quarantine = Quarantine("a-test", self, ProcessExclusivity())

    async def commit_notes(self) -> bool:
        return True

    def begin(self) -> Busy:
        busy = Busy()
        self.working.add(busy)
        return busy

    def finish(self, busy: Busy) -> None:
        self.working.remove(busy)

    def done(self, tp: TP, position: int, epoch: int) -> None:
        if epoch == self.epoch:
            self.positions[tp] = position

    def when_committed(self, tp: TP, offset: int, epoch: int, then: Callable[[], None]) -> None:
        if epoch == self.epoch:
            self._callbacks.add(tp, offset, then)

    def commit(self) -> None:
        """The positions are committed."""
        for tp, position in self.positions.items():
            self._callbacks.committed(tp, position)


class Drafted(list[Output]):
    """In the place of a `Draft`."""

    @property
    def size(self) -> int:
        return sum(len(record.value) for record, _ in self)


class Sink:
    """Stands for the publisher. While its gate is closed nothing is acknowledged; it refuses what is in `too_large`.

    Attributes:
        letters: the values of what was published as a dead letter.
        sizes: how many records each draft had.
        too_large: topic and value of outputs.
    """

    def __init__(self) -> None:
        self.published: list[bytes] = []
        self.letters: list[bytes] = []
        self.sizes: list[int] = []
        self.too_large: set[tuple[str, bytes]] = set()
        self.refusals = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def watch(self, _: Iterable[str]) -> None:
        """Every topic is there."""

    def draft(self, outputs: Iterable[Output] = ()) -> Drafted:
        return Drafted(outputs)

    async def publish(self, outputs: Iterable[Output]) -> list[Output]:
        return await self.send(self.draft(outputs))

    async def send(self, draft: list[Output]) -> list[Output]:
        await self.gate.wait()
        self.sizes.append(len(draft))
        refused = []
        for output in draft:
            record = output[0]
            if (record.topic, record.value) in self.too_large:
                refused.append(output)
            else:
                (self.letters if is_dead_letter(record) else self.published).append(record.value)
        self.refusals += len(refused)
        return refused

    async def changelog(self, _: Mapping[str, str], marks: Sequence[TableWrite]) -> dict[tuple[str, int], OffsetRange]:
        return {(table, partition): OffsetRange(0, 0, 1) for table, partition, _, _ in marks}


class Rows:
    """Stands for a table's store."""

    changelog = "changelog"

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}

    def partition(self, _: int) -> Mapping[bytes, bytes]:
        return self.rows

    def apply(self, marks: Iterable[TableWrite], _: Mapping[int, OffsetRange]) -> None:
        self.rows |= {key: value for _, _, key, value in marks}


class App:
    """Stands for the app."""

    should_stop = False

    def __init__(self) -> None:
        self.list_consumer = Group()
        self.publisher = Sink()
        self.retries = RetryPolicy(attempts=3, first=0.001, longest=0.001)
        self.pending = UncommittedWrites()
        self.marking = asyncio.Lock()
        self.table_stores: dict[str, Any] = {}
        self.crash_marker = CrashMarker(None)
        self.conf = SimpleNamespace(id="a-test")

    @property
    def flowing(self) -> bool:
        return not self.list_consumer.suspend_flow.is_set()

    def move(self) -> None:
        """Partitions begin to move."""
        self.list_consumer.suspend_flow.set()

    def moved(self) -> None:
        """Partitions have moved, and come back."""
        self.list_consumer.epoch += 1
        self.list_consumer.suspend_flow.clear()


def record(value: bytes, offset: int) -> TestRecord:
    """A record that is its own key."""
    return TestRecord(value, value, topic="in", offset=offset)


async def until(condition: Callable[[], object]) -> None:
    """Waits for it; a test's deadline is around this."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.001)
