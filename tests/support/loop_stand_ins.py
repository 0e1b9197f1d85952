"""Stands for an app and its group in the tests of the loops: partitions move when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from faust.types import TP

from pipeline.backoff import RetryPolicy
from pipeline.runtime.flows.breaker import OFF, Breaker
from pipeline.runtime.flows.breakers import NewBreaker
from pipeline.runtime.flows.chain_loop import ChainLoop
from pipeline.runtime.flows.concurrent_loop import ConcurrentLoop
from pipeline.runtime.flows.context import PARKING_MAX_BYTES, FlowContext
from pipeline.runtime.flows.dead_letters import is_dead_letter
from pipeline.runtime.flows.fetch_buffer import FetchBuffer
from pipeline.runtime.flows.stage import ConcurrentStage, Stage
from pipeline.runtime.kafka.accumulator import RecordAccumulator
from pipeline.runtime.quarantine.crash_marker import CrashMarker
from pipeline.runtime.tables.tables import Tables
from pipeline.testing import TestRecord
from pipeline.testing.memory_flows import InMemoryAssignment, InMemoryPublisher, MemoryTable, OutputList
from pipeline.topics.records import Output

TP0 = TP("in", 0)
Loop = ChainLoop | ConcurrentLoop


class Sink(InMemoryPublisher):
    """Stands for the publisher. While its gate is closed nothing is acknowledged; it refuses what is in `too_large`.

    Attributes:
        published: the values of outputs.
        letters: the values of what was published as a dead letter.
        outputs: all that it was asked to publish, refused or not.
        sizes: how many records each accumulator had.
        too_large: topic and value of outputs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.published: list[bytes] = []
        self.letters: list[bytes] = []
        self.outputs: list[Output] = []
        self.sizes: list[int] = []
        self.too_large: set[tuple[str, bytes]] = set()
        self.refusals = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, accumulator: RecordAccumulator) -> list[Output]:
        assert isinstance(accumulator, OutputList)
        await self.gate.wait()
        self.outputs += accumulator.outputs
        self.sizes.append(len(accumulator.outputs))
        refused = []
        for output in accumulator.outputs:
            record = output[0]
            if (record.topic, record.value) in self.too_large:
                refused.append(output)
            else:
                (self.letters if is_dead_letter(record) else self.published).append(record.value)
        self.refusals += len(refused)
        return refused


class FakeApp:
    """Stands for the app: gives a flow a real context, made of an assignment, a publisher and tables in memory."""

    def __init__(
        self,
        assignment: InMemoryAssignment | None = None,
        *,
        tables: Iterable[str] = (),
        retries: RetryPolicy | None = None,
    ) -> None:
        self.assignment = assignment or InMemoryAssignment()
        self.publisher = Sink()
        self.wakes: list[Callable[[], None]] = []
        self.group_breaker: NewBreaker | None = None
        self.parking_max_bytes = PARKING_MAX_BYTES
        self.stores = {name: MemoryTable() for name in tables}
        self.tables = Tables(self.stores)
        self.retries = retries or RetryPolicy(max_attempts=3, initial_delay=0.001, max_delay=0.001)

    def context(self, publisher: InMemoryPublisher | None = None) -> FlowContext:
        return FlowContext(
            app="a-test",
            publisher=publisher or self.publisher,
            assignment=self.assignment,
            tables=self.tables,
            retries=self.retries,
            accepting=lambda: not self.assignment.suspend_flow.is_set(),
            stopping=lambda: False,
            crash_marker=CrashMarker(None),
            parking_max_bytes=self.parking_max_bytes,
        )

    def concurrent(self, stage: ConcurrentStage, breaker: Breaker | None = None) -> ConcurrentLoop:
        buffer = FetchBuffer()
        self.wakes.append(buffer.new_data.set)
        return ConcurrentLoop(self.context(), "in", buffer, breaker or Breaker(OFF), stage, self.group_breaker)

    def chained(self, stages: Iterable[Stage], breaker: Breaker | None = None) -> ChainLoop:
        return ChainLoop(self.context(), "in", FetchBuffer(), breaker or Breaker(OFF), tuple(stages))

    def move(self) -> None:
        """Partitions begin to move."""
        self.assignment.suspend_flow.set()

    def moved(self) -> None:
        """Partitions have moved, and come back."""
        self.assignment.epoch += 1
        self.assignment.suspend_flow.clear()
        for wake in self.wakes:
            wake()


def record(value: bytes, offset: int) -> TestRecord:
    """A record that is its own key."""
    return TestRecord(value, value, topic="in", offset=offset)


async def until(condition: Callable[[], Any]) -> None:
    """Waits for it; a test's deadline is around this."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.001)
