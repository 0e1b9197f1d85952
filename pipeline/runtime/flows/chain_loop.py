"""The loop of a flow of quick stages: greedy batches over all partitions, committed one behind the other."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from faust.types import TP

from pipeline.metrics import BATCH_SECONDS, RECORDS, RETRIES
from pipeline.runtime.faust.consumer import Busy
from pipeline.runtime.flows.breaker import Breaker
from pipeline.runtime.flows.chain import Chain, ChainResult, Output, PendingRetry, shortest_delay
from pipeline.runtime.flows.dead_letters import BlockedDeadLetters, is_dead_letter, rejected_by_broker
from pipeline.runtime.flows.fetch_buffer import BATCH_BYTES, FetchBuffer
from pipeline.runtime.kafka.accumulator import Draft
from pipeline.runtime.tables.commit import commit
from pipeline.runtime.tables.views import TableWrite, rollback

if TYPE_CHECKING:
    from pipeline.runtime.faust.app import PipelineApp

MAX_BATCH = 2_000
"""Records in one batch: enough that the round trip to the broker is small beside the work."""
DECODE_CHUNK = 125
"""Records that are decoded and go through the chain before acknowledgements and heartbeats have their turn: some
milliseconds, and as many as the processor's cache holds with all that is made of them."""
MAX_PENDING_COMMITS = 1
"""Batches that may wait for their commit while the next one is in the chain. More would only be more to keep."""


MAX_OUTPUT_BYTES = 16 * 1024 * 1024
"""Bytes of outputs behind which a pass takes no further record: what comes of a record may be far larger than it."""


@dataclass(slots=True, eq=False)
class InFlightBatch:
    """A batch on its first pass through the chain, or after it: what is left is I/O.

    Attributes:
        positions: behind the last record of each partition.
        count: of records.
    """

    draft: Draft
    epoch: int
    busy: Busy
    started: float
    positions: dict[TP, int] = field(default_factory=dict)
    results: dict[int, ChainResult] = field(default_factory=dict)
    count: int = 0

    @property
    def holds(self) -> bool:
        """Whether some of it must be tried again."""
        return any(result.pending for result in self.results.values())


class ChainLoop:
    """Takes what is there, runs the chain, commits, lets the offsets go.

    While one batch is committed the next one goes through the chain: the waits for the broker cost nothing. Commits are
    one behind the other, so outputs, tables and offsets keep the order of the batches. A batch of which something must
    be tried again is finished, or abandoned, before the next one is taken; what follows an abandoned one is abandoned.
    """

    def __init__(self, app: PipelineApp, source: str, chain: Chain, breaker: Breaker) -> None:
        self.source = source
        self.buffer = FetchBuffer()
        self.breaker = breaker
        self.blocked_dead_letters = BlockedDeadLetters()
        self._app = app
        self._chain = chain
        self._taken = 0
        self._abandoned = -1
        """The epoch in which a batch was: none of that epoch may go past it."""

    def __len__(self) -> int:
        return len(self.buffer) + self._taken

    @property
    def quiet(self) -> bool:
        """True if no record is taken and unfinished."""
        return not self._taken

    async def run(self) -> None:
        app = self._app
        await app.publisher.watch([self.source])
        async with asyncio.TaskGroup() as tasks:
            commits: deque[asyncio.Task[None]] = deque()
            while not app.should_stop:
                await self.buffer.not_empty.wait()
                if self.breaker.open and commits:  # nothing new: what is in hand is the probe
                    await commits.popleft()
                elif app.flowing:
                    passed = await self._pass()
                    commits.append(tasks.create_task(self._finish(passed, commits[-1] if commits else None)))
                    # Nothing is tried before what is tried again, nor left over when that is abandoned.
                    while len(commits) > (0 if passed.holds else MAX_PENDING_COMMITS):
                        await commits.popleft()
                else:
                    self.buffer.clear()
                await asyncio.sleep(0)

    async def _pass(self) -> InFlightBatch:
        """Takes what is there now, bounded, and runs it through the chain, stretch by stretch."""
        consumer = self._app.list_consumer
        passed = InFlightBatch(self._app.publisher.draft(), consumer.epoch, consumer.begin(), time.monotonic())
        room, size, stretch = min(MAX_BATCH, len(self.buffer)), BATCH_BYTES, 0
        while (
            passed.count < room
            and size > 0
            and passed.draft.size < MAX_OUTPUT_BYTES
            and self.buffer.not_empty.is_set()
            and passed.epoch == consumer.epoch
        ):
            before = self.buffer.size
            self._run(passed, *self.buffer.pop_next(min(DECODE_CHUNK - stretch, room - passed.count), size))
            size -= before - self.buffer.size
            stretch = passed.count % DECODE_CHUNK
            if not stretch:
                await asyncio.sleep(0)
        return passed

    def _run(self, passed: InFlightBatch, tp: TP, records: Sequence[Any]) -> None:
        """Records that come behind too many bytes of outputs are given back, for the next pass."""
        self._app.list_consumer.progress.tried(tp)
        rest = iter(records)
        result = passed.results.get(tp.partition)
        if verdict := self._app.list_consumer.quarantine.give_up_error(tp, records[0].offset):
            passed.results[tp.partition] = self._chain.give_up(next(rest), verdict, passed.draft, result)
        else:
            allowed = self._app.list_consumer.quarantine.runnable_count(tp, records)
            some = _while_room(islice(rest, allowed), passed.draft)
            passed.results[tp.partition] = self._chain.run(tp.partition, some, passed.draft, result)
        left = list(rest)
        if left:
            self.buffer.push_back(tp, left)
        count = len(records) - len(left)
        self._taken += count
        passed.count += count
        passed.positions[tp] = records[count - 1].offset + 1

    async def _finish(self, passed: InFlightBatch, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before
        consumer, app = self._app.list_consumer, self._app.conf.id
        dead = await self._process(passed) if passed.epoch != self._abandoned else None
        if dead is None:
            self._abandon(passed)
        else:
            for tp, position in passed.positions.items():
                consumer.done(tp, position, passed.epoch)
            self._survived(passed)
            RECORDS.labels(app, "done").inc(passed.count - dead)
            RECORDS.labels(app, "dead").inc(dead)
        consumer.finish(passed.busy)
        self._taken -= passed.count
        if not self._taken:
            self.breaker.on_idle()
        BATCH_SECONDS.labels(app).observe(time.monotonic() - passed.started)

    def _abandon(self, passed: InFlightBatch) -> None:
        """Its records will be delivered again: what they wrote and did not commit is forgotten."""
        self._abandoned = passed.epoch
        for result in passed.results.values():
            rollback(result.writes, 0, self._app.pending)

    async def _process(self, passed: InFlightBatch) -> int | None:
        """Takes a batch to its end; gives the number of dead letters, or None if it had to be abandoned."""
        results, draft, dead = passed.results, passed.draft, 0
        while True:
            bad = await self._commit(results, draft)
            letters = [self._chain.to_dead_letter(output) for output in bad]
            dead += sum(result.dead for result in results.values())
            dead += sum(not is_dead_letter(record) for record, _ in bad)
            if not await self._bury(letters):
                return None
            held = {partition: result.pending for partition, result in results.items() if result.pending}
            if not held:
                return dead
            self._survived(passed)
            if not await self._wait(held):
                return None
            draft = self._app.publisher.draft()
            results = {partition: self._chain.retry(partition, items, draft) for partition, items in held.items()}

    def _survived(self, passed: InFlightBatch) -> None:
        """Every record of the batch has run. Positions of an earlier epoch are nobody's."""
        consumer = self._app.list_consumer
        if passed.epoch == consumer.epoch:
            for tp, position in passed.positions.items():
                consumer.quarantine.survived_below(tp, position)

    async def _commit(self, results: Mapping[int, ChainResult], draft: Draft) -> list[Output]:
        """Gives what the broker refused, one output of each source record."""
        bad = await commit(self._app, draft, partial(self._marks, results))
        return list({(output[1].partition, output[1].offset): output for output in bad}.values())

    def _marks(self, results: Mapping[int, ChainResult], bad: Sequence[Output]) -> list[TableWrite]:
        for partition in {source.partition for _, source in bad}:
            offsets = {source.offset for _, source in bad if source.partition == partition}
            self._chain.rollback(results[partition], offsets)
        return [mark for result in results.values() for mark in result.writes]

    async def _bury(self, letters: list[Output]) -> bool:
        """Publishes dead letters, however often it takes. False: partitions are moving before it is done."""
        tries = 0
        while letters and (letters := await self._app.publisher.publish(letters)):
            tries += 1
            self.blocked_dead_letters.add(*letters[0])
            delay = self._app.retries.delay(rejected_by_broker(letters[0][0]), tries)
            self._all_wait(delay)
            if not await self._undisturbed(delay):
                return False
        self.blocked_dead_letters.clear()
        return True

    async def _wait(self, held: Mapping[int, Sequence[PendingRetry]]) -> bool:
        """Waits for the next try. False: partitions are moving, so the records will be delivered again."""
        for item in (item for items in held.values() for item in items):
            if item.error is not None:
                RETRIES.labels(item.stage, type(item.error).__name__).inc()
        delay = shortest_delay(held, self._app.retries)
        self._all_wait(delay)
        return await self._undisturbed(delay)

    def _all_wait(self, due: float) -> None:
        """Tells liveness: nothing of any partition is done before what is tried again. A restart would not help."""
        self._app.list_consumer.progress.waits(self.source, due)

    async def _undisturbed(self, seconds: float) -> bool:
        """Waits. False: partitions are moving."""
        try:
            await asyncio.wait_for(self._app.list_consumer.suspend_flow.wait(), seconds)
        except TimeoutError:
            return True
        return False


def _while_room(records: Iterator[Any], draft: Draft) -> Iterator[Any]:
    """The next records, one at least, until there are many bytes of outputs."""
    for record in records:
        yield record
        if draft.size >= MAX_OUTPUT_BYTES:
            return
