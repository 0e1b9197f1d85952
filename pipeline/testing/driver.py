"""Stages in memory, in the loops that run them in a worker: what Kafka Streams calls a topology test driver."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, cast

from faust.types import TP

from pipeline.backoff import STAGE_RETRIES, RetryPolicy
from pipeline.runtime.flows.breaker import OFF, Breaker
from pipeline.runtime.flows.chain_loop import ChainLoop
from pipeline.runtime.flows.concurrent_loop import ConcurrentLoop
from pipeline.runtime.flows.context import Flow, FlowContext
from pipeline.runtime.flows.dead_letters import PREFIX
from pipeline.runtime.flows.fetch_buffer import FetchBuffer
from pipeline.runtime.flows.stage import ConcurrentStage, Stage
from pipeline.runtime.quarantine.crash_marker import CrashMarker
from pipeline.runtime.tables.fencing import OffsetRange
from pipeline.runtime.tables.tables import Tables
from pipeline.runtime.tables.views import TableWrite
from pipeline.testing.memory_flows import InMemoryAssignment, InMemoryPublisher, MemoryTable
from pipeline.testing.records import TestRecord
from pipeline.topics.records import ConsumedRecord, Record

Rows = dict[bytes, bytes]


class _Crashed(BaseException):
    """The process is gone. No stage can catch it by `except Exception`."""


class _Publisher(InMemoryPublisher):
    """A publisher that may crash the process once outputs are acknowledged, and before their rows are written."""

    def __init__(self, *, crashes: bool) -> None:
        super().__init__()
        self._crashes = crashes

    async def publish_changelog(
        self, topics: dict[str, str], writes: Sequence[TableWrite]
    ) -> dict[tuple[str, int], OffsetRange]:
        if self._crashes and self.records:
            raise _Crashed
        return await super().publish_changelog(topics, writes)


class TopologyTestDriver:
    """Runs chained stages, or one concurrent stage, over records. It does not wait between retries.

    Attributes:
        published: every output so far, dead letters included, in order.
    """

    def __init__(
        self, *stages: Stage | ConcurrentStage, tables: Sequence[str] = (), retries: RetryPolicy | None = None
    ) -> None:
        self.published: list[Record] = []
        self._stages = stages
        self._stores = {name: MemoryTable() for name in tables}
        self._retries = retries or STAGE_RETRIES
        self.restart()

    def restart(self) -> None:
        """End the process and start another: table rows are as they were committed, and nothing else is left."""
        self._tables = Tables(self._stores)

    def rows(self, table: str, partition: int = 0) -> Rows:
        """Return the rows of one partition of a table."""
        return self._stores[table].partition(partition)

    @property
    def dead_letters(self) -> list[Record]:
        """The published dead letters, in order."""
        return [record for record in self.published if record.topic.startswith(PREFIX)]

    def pipe(self, *records: ConsumedRecord, crash_before_mark: bool = False) -> list[Record]:
        """Process records, commit their offsets, and return what was published.

        With `crash_before_mark` the process ends when the outputs are acknowledged and the table rows not yet written.
        """
        publisher = _Publisher(crashes=crash_before_mark)
        try:
            if records:
                _run(self._process(_numbered(records), publisher, commits=not crash_before_mark))
        finally:
            self.published += publisher.records
        if crash_before_mark:
            self.restart()
        return publisher.records

    async def _process(
        self, records: dict[TP, list[ConsumedRecord]], publisher: InMemoryPublisher, *, commits: bool
    ) -> None:
        assignment, buffer = InMemoryAssignment(), FetchBuffer()
        loop = self._loop(assignment, publisher, next(iter(records)).topic, buffer)
        for tp, found in records.items():
            buffer.add(tp, found)
        ends = {tp: found[-1].offset + 1 for tp, found in records.items()}
        running = asyncio.ensure_future(loop.run())
        finished = asyncio.ensure_future(assignment.wait_for(ends))
        await asyncio.wait((running, finished), return_when=asyncio.FIRST_COMPLETED)
        for task in (running, finished):
            task.cancel()
        await asyncio.wait((running, finished))
        if not running.cancelled() and (error := running.exception()):
            _reraise(error)
        if commits:
            assignment.commit()
            await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not asyncio.current_task()))

    def _loop(
        self, assignment: InMemoryAssignment, publisher: InMemoryPublisher, source: str, buffer: FetchBuffer
    ) -> Flow:
        context = FlowContext(
            app="in-memory",
            publisher=publisher,
            assignment=assignment,
            tables=self._tables,
            retries=self._retries,
            accepting=lambda: True,
            stopping=lambda: False,
            crash_marker=CrashMarker(None),
            sleep=_skip,
        )
        if isinstance(self._stages[0], ConcurrentStage):
            return ConcurrentLoop(context, source, buffer, Breaker(OFF), self._stages[0])
        return ChainLoop(context, source, buffer, Breaker(OFF), cast("tuple[Stage, ...]", self._stages))


def _numbered(records: Iterable[ConsumedRecord]) -> dict[TP, list[ConsumedRecord]]:
    """Group records by partition. Offsets that do not rise, as of records made without one, are counted on."""
    source, partitions = "", defaultdict[TP, list[ConsumedRecord]](list)
    for record in records:
        source = source or record.topic
        queue = partitions[TP(source, record.partition)]
        least = queue[-1].offset + 1 if queue else record.offset
        queue.append(record if record.offset >= least else _at(least, record))
    return partitions


def _at(offset: int, record: ConsumedRecord) -> TestRecord:
    headers = tuple(record.headers)
    return TestRecord(record.value, record.key, headers, record.topic, record.partition, offset, record.timestamp)


def _reraise(error: BaseException) -> None:
    """Raise what a stage raised, out of the groups of the loop's tasks. A crash that was asked for is no error."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if not isinstance(error, _Crashed):
        raise error


async def _skip(event: asyncio.Event, _seconds: float) -> bool:
    """Let time pass at once."""
    await asyncio.sleep(0)
    return not event.is_set()


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end, in an event loop of its own. A test that has a running loop gets a thread beside it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
    else:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(copy_context().run, asyncio.run, work).result()
