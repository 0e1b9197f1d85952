"""The commits of a concurrent flow: what finishes at the same time is published together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Container
from typing import Final, NamedTuple

from pipeline.errors import OversizeRecord
from pipeline.metrics import BATCH_SECONDS
from pipeline.runtime.flows.context import FlowContext
from pipeline.runtime.tables.views import TableWrite
from pipeline.topics.records import Output


class CommitRequest(NamedTuple):
    """Outputs and table writes of one source record that take effect together.

    Attributes:
        on_committed: called when all are durable.
        on_rejected: called instead when the broker rejected one of the outputs; the writes are not stored then.
    """

    outputs: list[Output]
    writes: list[TableWrite]
    on_committed: Callable[[], object]
    on_rejected: Callable[[], object]

    def rejected_in(self, rejected: Container[tuple[int, int]]) -> bool:
        """Return True if the source of an output is among these partitions and offsets."""
        return any((source.partition, source.offset) in rejected for _, source in self.outputs)


EMPTY_REQUEST: Final = CommitRequest([], [], lambda: None, lambda: None)
"""Asks for a batch, for what the batch itself writes."""


class CommitQueue:
    """Commits requests in batches, one batch after the other.

    Args:
        on_batch: called after each batch.
        queue_writes: returns table writes to put before and after those of a batch, which it is given.
    """

    def __init__(
        self,
        context: FlowContext,
        on_batch: Callable[[], object],
        queue_writes: Callable[[list[TableWrite]], tuple[list[TableWrite], list[TableWrite]]] | None = None,
    ) -> None:
        self._context = context
        self._on_batch = on_batch
        self._queue_writes = queue_writes
        self._requests: list[CommitRequest] = []
        self._not_empty = asyncio.Event()

    def add(self, request: CommitRequest) -> None:
        """Queue a request for the next batch."""
        self._requests.append(request)
        self._not_empty.set()

    async def commit(self, outputs: list[Output], writes: list[TableWrite]) -> None:
        """Queue a request and wait until it is durable. Raises `OversizeRecord` if the broker rejects an output."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def accept() -> None:
            if not done.done():  # the record that waits for this may have been cancelled
                done.set_result(None)

        def reject() -> None:
            if not done.done():
                done.set_exception(OversizeRecord("the broker takes no record of this size"))

        self.add(CommitRequest(outputs, writes, accept, reject))
        await done

    async def run(self) -> None:
        """Commit requests until the task is cancelled."""
        while True:
            await self._not_empty.wait()
            self._not_empty.clear()
            requests, self._requests = self._requests, []
            await self._commit(requests)

    async def _commit(self, requests: list[CommitRequest]) -> None:
        """Publish outputs, then write tables, then release offsets.

        The order makes a crash harmless at any point: a table row never exists without its outputs, and an offset is
        never committed without both.
        """
        started, publisher = time.monotonic(), self._context.publisher
        accumulator = publisher.new_accumulator(output for request in requests for output in request.outputs)
        rejected = {(source.partition, source.offset) for _, source in await publisher.send(accumulator)}
        accepted = [request for request in requests if not (rejected and request.rejected_in(rejected))]
        writes = [write for request in accepted for write in request.writes]
        if self._queue_writes is not None:
            before, after = self._queue_writes(writes)
            writes = [*before, *writes, *after]
        await self._context.tables.commit(publisher, writes)
        for request in requests:
            if rejected and request.rejected_in(rejected):
                request.on_rejected()
            else:
                request.on_committed()
        BATCH_SECONDS.labels(self._context.app).observe(time.monotonic() - started)
        self._on_batch()
