"""The loop of a flow of quick stages: greedy batches over all partitions, committed one after the other."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from faust.types import TP

from pipeline.errors import error_type
from pipeline.metrics import BATCH_SECONDS, RECORDS, RETRIES
from pipeline.runtime.flows.breaker import Breaker
from pipeline.runtime.flows.chain import Chain, ChainResult, PendingRetry, shortest_delay
from pipeline.runtime.flows.context import FlowContext
from pipeline.runtime.flows.dead_letters import BlockedDeadLetters, is_dead_letter, rejected_by_broker
from pipeline.runtime.flows.fetch_buffer import BATCH_BYTES, FetchBuffer
from pipeline.runtime.flows.stage import Stage
from pipeline.runtime.kafka.accumulator import RecordAccumulator
from pipeline.runtime.process.lag import PartitionWork, earliest
from pipeline.topics.records import Output

MAX_BATCH = 2_000
"""Records in one batch: enough that the round trip to the broker is small beside the work."""
DECODE_CHUNK = 125
"""Records that are decoded and run before acknowledgements and heartbeats have their turn.

They take some milliseconds, and the processor's cache holds as many with all that is made of them.
"""
MAX_PENDING_COMMITS = 1
"""Batches that may wait for their commit while the next one runs. More would only use more memory."""
MAX_BATCH_OUTPUT_BYTES = 16 * 1024 * 1024
"""Bytes of outputs at which a batch takes no further record. Outputs may be far larger than their source record."""


@dataclass(slots=True, eq=False)
class InFlightBatch:
    """A batch that runs through the chain, or waits for its commit.

    Attributes:
        token: keeps a rebalance waiting until the batch is finished.
        positions: the offset behind the last record of each partition.
        oldest: timestamp of the first record of each partition, in ms.
        count: number of records.
        last: the record that ran last.
    """

    outputs: RecordAccumulator
    epoch: int
    token: object
    started: float
    positions: dict[TP, int] = field(default_factory=dict)
    oldest: dict[TP, int] = field(default_factory=dict)
    results: dict[int, ChainResult] = field(default_factory=dict)
    count: int = 0
    last: Any = None

    @property
    def needs_retry(self) -> bool:
        """True if some record must be tried again."""
        return any(result.pending for result in self.results.values())


class ChainLoop:
    """Takes the records that are there, runs the chain, commits, and releases the offsets.

    While one batch is committed, the next one runs through the chain, so waiting for the broker costs nothing. Commits
    follow each other, so outputs, tables and offsets keep the order of the batches. A batch of which some record must
    be tried again is finished, or abandoned, before the next one is taken. Batches behind an abandoned one are
    abandoned too.
    """

    def __init__(
        self, context: FlowContext, source: str, buffer: FetchBuffer, breaker: Breaker, stages: Sequence[Stage]
    ) -> None:
        self.source = source
        self.breaker = breaker
        self.blocked_dead_letters = BlockedDeadLetters()
        self.buffer = buffer
        self._context = context
        self._assignment = context.assignment
        self._publisher = context.publisher
        self._chain = Chain(stages, context.tables, context.retries, breaker)
        self._taken = 0
        self._batches: list[InFlightBatch] = []
        self._waits = False
        self._abandoned_epoch = -1
        """The epoch of the last abandoned batch. No batch of that epoch may be committed after it."""

    def __len__(self) -> int:
        return len(self.buffer) + self._taken

    @property
    def quiet(self) -> bool:
        """True if no record is taken and unfinished."""
        return not self._taken

    def work(self) -> dict[TP, PartitionWork]:
        """Return the work of each partition. While a record waits for another try, the whole flow waits with it."""
        heads = self.buffer.head_timestamps()
        taken = [batch.oldest for batch in self._batches if batch.epoch == self._assignment.epoch]
        oldest = {tp: earliest(*(each.get(tp) for each in (*taken, heads))) for each in (*taken, heads) for tp in each}
        work = {tp: PartitionWork(oldest_runnable=at) for tp, at in oldest.items()}
        return {tp: each.hold() for tp, each in work.items()} if self._waits or self.breaker.open else work

    async def run(self) -> None:
        # Records arrive in the buffer from the consumer's fetches (`FetchLoop.buffer`). This loop only reads it.
        await self._publisher.prefetch_metadata([self.source])
        async with asyncio.TaskGroup() as tasks:
            commits: deque[asyncio.Task[None]] = deque()
            while not self._context.stopping():
                await self.buffer.not_empty.wait()
                if self.breaker.open and commits:  # take no new batch: the one in work is the probe
                    await commits.popleft()
                elif self._context.accepting():
                    batch = await self._run_batch()
                    commits.append(tasks.create_task(self._finish(batch, commits[-1] if commits else None)))
                    # A retry comes before newer records. Were a newer batch in work when the retry is abandoned, its
                    # offsets would have to be abandoned with it.
                    while len(commits) > (0 if batch.needs_retry else MAX_PENDING_COMMITS):
                        await commits.popleft()
                else:  # partitions move: the buffered records will be delivered again
                    self.buffer.clear()
                # Without this turn a loop whose buffer is never empty would starve heartbeats and acknowledgements.
                await asyncio.sleep(0)

    async def _run_batch(self) -> InFlightBatch:
        """Take the buffered records, up to the limits of a batch, and run them through the chain in chunks."""
        assignment = self._assignment
        batch = InFlightBatch(
            self._publisher.new_accumulator(), assignment.epoch, assignment.begin_work(), time.monotonic()
        )
        self._batches.append(batch)
        room, size, chunk = min(MAX_BATCH, len(self.buffer)), BATCH_BYTES, 0
        while (
            batch.count < room
            and size > 0
            and batch.outputs.size < MAX_BATCH_OUTPUT_BYTES
            and self.buffer.not_empty.is_set()
            and batch.epoch == assignment.epoch
        ):
            before = self.buffer.size
            self._run_chunk(batch, *self.buffer.pop_next(min(DECODE_CHUNK - chunk, room - batch.count), size))
            size -= before - self.buffer.size
            chunk = batch.count % DECODE_CHUNK
            if not chunk:
                await asyncio.sleep(0)
        if batch.last is not None:
            self._chain.flush(batch.last, batch.outputs)
        return batch

    def _run_chunk(self, batch: InFlightBatch, tp: TP, records: Sequence[Any]) -> None:
        """Run records of one partition. Those behind too many bytes of outputs go back, for the next batch."""
        self._assignment.liveness.record_attempt(tp)
        batch.oldest.setdefault(tp, records[0].timestamp)
        rest = iter(records)
        result = batch.results.get(tp.partition)
        quarantine = self._assignment.quarantine
        if error := quarantine.give_up_error(tp, records[0].offset):
            batch.results[tp.partition] = self._chain.give_up(next(rest), error, batch.outputs, result)
        else:
            runnable = islice(rest, quarantine.runnable_count(tp, records))
            some = _until_full(runnable, batch.outputs)
            batch.results[tp.partition] = self._chain.run(tp.partition, some, batch.outputs, result)
        left = list(rest)
        if left:
            self.buffer.push_back(tp, left)
        count = len(records) - len(left)
        self._taken += count
        batch.count += count
        batch.last = records[count - 1]
        batch.positions[tp] = batch.last.offset + 1

    async def _finish(self, batch: InFlightBatch, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before
        assignment, app = self._assignment, self._context.app
        dead = await self._commit_with_retries(batch) if batch.epoch != self._abandoned_epoch else None
        if dead is None:
            self._abandon(batch)
        else:
            for tp, position in batch.positions.items():
                assignment.mark_processed(tp, position, batch.epoch)
            self._mark_survived(batch)
            RECORDS.labels(app, "done").inc(batch.count - dead)
            RECORDS.labels(app, "dead").inc(dead)
        assignment.end_work(batch.token)
        self._batches.remove(batch)
        self._taken -= batch.count
        if not self._taken:
            self.breaker.on_idle()
        BATCH_SECONDS.labels(app).observe(time.monotonic() - batch.started)

    def _abandon(self, batch: InFlightBatch) -> None:
        """Undo the uncommitted writes of a batch whose records will be delivered again."""
        self._abandoned_epoch = batch.epoch
        for result in batch.results.values():
            self._context.tables.rollback(result.writes)

    async def _commit_with_retries(self, batch: InFlightBatch) -> int | None:
        """Commit a batch, and retry until none of it is pending. Return the number of dead letters; None: abandon."""
        results, outputs, dead = batch.results, batch.outputs, 0
        while True:
            rejected = await self._commit(results, outputs)
            letters = [self._chain.to_dead_letter(output) for output in rejected]
            dead += sum(result.dead for result in results.values())
            dead += sum(not is_dead_letter(record) for record, _ in rejected)
            if not await self._publish_dead_letters(letters):
                return None
            pending = {partition: result.pending for partition, result in results.items() if result.pending}
            if not pending:
                return dead
            self._mark_survived(batch)
            if not await self._wait_for_retry(pending):
                return None
            outputs = self._publisher.new_accumulator()
            results = {partition: self._chain.retry(partition, items, outputs) for partition, items in pending.items()}
            self._chain.flush(batch.last, outputs)

    def _mark_survived(self, batch: InFlightBatch) -> None:
        """Tell the quarantine that every record of the batch has run. Positions of an earlier epoch are void."""
        if batch.epoch == self._assignment.epoch:
            for tp, position in batch.positions.items():
                self._assignment.quarantine.survived_below(tp, position)

    async def _commit(self, results: Mapping[int, ChainResult], outputs: RecordAccumulator) -> list[Output]:
        """Publish outputs, then write tables. Return one rejected output of each source record that has any.

        The order makes a crash harmless at any point: a table row never exists without its outputs, and offsets are
        released last, by the caller.
        """
        rejected = await self._publisher.send(outputs)
        self._rollback(results, rejected)
        writes = [write for result in results.values() for write in result.writes]
        await self._context.tables.commit(self._publisher, writes)
        return list({(source.partition, source.offset): (record, source) for record, source in rejected}.values())

    def _rollback(self, results: Mapping[int, ChainResult], rejected: Sequence[Output]) -> None:
        """Undo the table writes of the records whose outputs the broker rejected."""
        for partition in {source.partition for _, source in rejected}:
            offsets = {source.offset for _, source in rejected if source.partition == partition}
            self._chain.rollback(results[partition], offsets)

    async def _publish_dead_letters(self, letters: list[Output]) -> bool:
        """Publish dead letters, however many tries it takes. False: partitions move first."""
        tries = 0
        while letters and (letters := await self._publisher.publish(letters)):
            tries += 1
            self.blocked_dead_letters.add(*letters[0])
            delay = self._context.retries.delay_after(rejected_by_broker(letters[0][0]), tries)
            if not await self._sleep_unless_rebalancing(delay):
                return False
        self.blocked_dead_letters.clear()
        return True

    async def _wait_for_retry(self, pending: Mapping[int, Sequence[PendingRetry]]) -> bool:
        """Wait for the next try. False: partitions move, so the records will be delivered again."""
        for item in (item for items in pending.values() for item in items):
            if item.error is not None:
                RETRIES.labels(item.stage, error_type(item.error)).inc()
        return await self._sleep_unless_rebalancing(shortest_delay(pending, self._context.retries))

    async def _sleep_unless_rebalancing(self, seconds: float) -> bool:
        """Wait. False: partitions move.

        Liveness is told that all partitions wait for this: no record runs before the retry, and a restart would not
        help.
        """
        self._assignment.liveness.record_topic_wait(self.source, seconds)
        self._waits = True
        try:
            return await self._context.sleep(self._assignment.suspend_flow, seconds)
        finally:
            self._waits = False


def _until_full(records: Iterator[Any], outputs: RecordAccumulator) -> Iterator[Any]:
    """Yield records, at least one, until the batch has too many bytes of outputs."""
    for record in records:
        yield record
        if outputs.size >= MAX_BATCH_OUTPUT_BYTES:
            return
