"""One run of a concurrent stage's code for one record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TypeVar

from pipeline.errors import Unavailable
from pipeline.frames import raised_at
from pipeline.logging import get_logger, shown_message
from pipeline.runtime.flows.chain import require_publishable
from pipeline.runtime.flows.commit_callbacks import Callback
from pipeline.runtime.flows.commit_queue import CommitQueue
from pipeline.runtime.flows.context import FlowContext
from pipeline.runtime.flows.in_flight import InFlight, InFlightRecord
from pipeline.runtime.flows.keyed_executor import KeyedExecutor
from pipeline.runtime.flows.stage import ConcurrentContext, ConcurrentStage
from pipeline.topics.records import Output, Record

T = TypeVar("T")
log = get_logger(__name__)


class RecordRunner:
    """Calls the functions of a concurrent stage, each with the context of its record."""

    def __init__(
        self,
        context: FlowContext,
        stage: ConcurrentStage,
        in_flight: InFlight,
        executor: KeyedExecutor,
        commits: CommitQueue,
    ) -> None:
        self._context = context
        self._assignment = context.assignment
        self._stage = stage
        self._in_flight = in_flight
        self._executor = executor
        self._commits = commits

    async def run(self, item: InFlightRecord) -> list[Output]:
        """Run the stage and return its outputs."""
        if not item.decoded:
            item.value = self._stage.decode(item.record)
        work = self._stage.function(item.value, self._stage_context(item))
        return _outputs(item, await self._marked(item, work))

    async def announce_give_up(self, item: InFlightRecord, error: Exception) -> None:
        """Publish the outputs of `on_give_up`, before the dead letter. Its own failure is logged and keeps nothing.

        Raises `Unavailable`: then the record must be tried again.
        """
        if self._stage.on_give_up is None or not item.decoded:
            return
        try:
            work = self._stage.on_give_up(item.value, self._stage_context(item), error)
            await self._commits.commit(_outputs(item, await self._marked(item, work)), [])
        except Unavailable:
            raise
        except Exception as worse:
            log.warning(
                "give_up_outputs_failed",
                stage=self._stage.name,
                error=type(worse).__name__,
                raised_at=raised_at(worse),
                **shown_message(worse),
                detail="the dead letter is published without the outputs of on_give_up",
            )

    def _marked(self, item: InFlightRecord, work: Awaitable[T]) -> Awaitable[T]:
        """Return the stage's work such that the crash marker notes its record, for the process after a crash."""
        guarded = _treat_cancellation_as_failure(work)
        return self._context.crash_marker.run(item.tp, item.record.offset, guarded)

    def _stage_context(self, item: InFlightRecord) -> ConcurrentContext:
        return ConcurrentContext(
            item.record,
            self._context.tables.views(item.tp.partition, item.journal),
            wait=partial(self._executor.wait, item),
            persist=partial(self._persist, item),
            publish=partial(self._publish, item),
            owned=partial(self._owned, item),
            when_committed=self._when_committed(item),
            attempt=item.attempts,
        )

    def _when_committed(self, item: InFlightRecord) -> Callable[[Callback], None]:
        if item.parked is not None:  # its offset is committed, and its row is still to be deleted
            return item.callbacks.append
        return partial(self._assignment.when_committed, item.tp, item.record.offset, item.epoch)

    async def _persist(self, item: InFlightRecord) -> None:
        self._executor.got_through(item)
        writes = list(item.journal)
        item.journal.clear()
        await self._commits.commit([], writes)

    async def _publish(self, item: InFlightRecord, records: Iterable[Record]) -> None:
        await self._commits.commit(_outputs(item, records), [])

    def _owned(self, item: InFlightRecord) -> bool:
        # True while partitions are about to move as well: the rebalance waits for the records in work.
        return self._in_flight.is_current(item) and self._assignment.lease.valid


def _outputs(item: InFlightRecord, records: Iterable[Record]) -> list[Output]:
    return [(record, item.record) for record in require_publishable(list(records))]


async def _treat_cancellation_as_failure(work: Awaitable[T]) -> T:
    """Return the result of a stage's work. A cancelled future that it awaits is its failure, and ends no other task."""
    try:
        return await work
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise RuntimeError("something that the stage awaited was cancelled") from error
