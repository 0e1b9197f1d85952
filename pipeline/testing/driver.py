"""A chain of stages with tables in memory: what Kafka Streams calls a topology test driver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import cast

from pipeline.runtime.flows.chain import Chain, Output, require_publishable
from pipeline.runtime.flows.dead_letters import PREFIX, dead_letter
from pipeline.runtime.flows.retry import RetryPolicy
from pipeline.runtime.flows.stage import ConcurrentStage, Stage, StageContext
from pipeline.runtime.tables.views import TableView, TableWrite, UncommittedWrites, rollback
from pipeline.topics.records import Incoming, Record

Rows = dict[bytes, bytes]


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
        self._names = tuple(tables)
        self._rows: dict[tuple[str, int], Rows] = {}
        self._retries = retries or RetryPolicy()
        self.restart()

    def restart(self) -> None:
        """The process dies and comes back: tables are as they were marked, nothing else is left."""
        self._pending = UncommittedWrites()
        self._after_commit: list[Callable[[], None]] = []

    def rows(self, table: str, partition: int = 0) -> Rows:
        """What a table holds for a partition."""
        return self._rows.setdefault((table, partition), {})

    @property
    def dead_letters(self) -> list[Record]:
        return [record for record in self.published if record.topic.startswith(PREFIX)]

    def pipe(self, *records: Incoming, crash_before_mark: bool = False) -> list[Record]:
        """Runs a batch of one partition; gives what it published.

        With `crash_before_mark` the process dies when the outputs are acknowledged and the tables not yet written.
        """
        outputs, marks = self._run(records)
        self.published += outputs
        if crash_before_mark:
            self.restart()
        else:
            self._mark(marks)
            self._commit()
        return outputs

    def _commit(self) -> None:
        """The offsets of the batch are committed."""
        waiting, self._after_commit = self._after_commit, []
        if waiting:
            asyncio.run(_call(waiting))

    def _run(self, records: Sequence[Incoming]) -> tuple[list[Record], list[TableWrite]]:
        if isinstance(self._stages[0], ConcurrentStage):
            stage = self._stages[0]
            parts = [asyncio.run(self._run_concurrent(stage, record)) for record in records]
            return [output for outputs, _ in parts for output in outputs], [mark for _, m in parts for mark in m]
        return self._run_chain(cast("tuple[Stage, ...]", self._stages), records)

    def _run_chain(
        self, stages: tuple[Stage, ...], records: Sequence[Incoming]
    ) -> tuple[list[Record], list[TableWrite]]:
        chain = Chain(stages, tables=self._names, stores=self.rows, pending=self._pending, retries=self._retries)
        partition = records[0].partition if records else 0
        outputs: list[Output] = []
        result = chain.run(partition, records, outputs)
        marks = list(result.writes)
        while result.pending:
            result = chain.retry(partition, result.pending, outputs)
            marks += result.writes
        return [record for record, _ in outputs], marks

    async def _run_concurrent(
        self, stage: ConcurrentStage, record: Incoming
    ) -> tuple[Sequence[Record], list[TableWrite]]:
        attempt = 0
        journal: list[TableWrite] = []

        async def persist() -> None:
            self._mark(journal)
            journal.clear()

        async def publish(records: Iterable[Record]) -> None:
            self.published += require_publishable(list(records))

        while True:
            views = self._views(record.partition, journal)
            scope = StageContext(
                record,
                views,
                wait=_no_wait,
                persist=persist,
                publish=publish,
                when_committed=self._after_commit.append,
                attempt=attempt,
            )
            try:
                return require_publishable(list(await stage.function(stage.decode(record), scope))), journal
            except Exception as error:
                attempt += 1
                rollback(journal, 0, self._pending)
                if self._retries.gives_up(error, attempt):
                    return [*await _last_word(stage, scope, error), dead_letter(record, stage.name, error, attempt)], []

    def _views(self, partition: int, journal: list[TableWrite]) -> dict[str, TableView]:
        return {
            name: TableView(name, partition, self.rows(name, partition), self._pending.rows(name, partition), journal)
            for name in self._names
        }

    def _mark(self, marks: Iterable[TableWrite]) -> None:
        marks = list(marks)
        for table, partition, key, value in marks:
            self.rows(table, partition)[key] = value
        self._pending.discard(marks)


async def _last_word(stage: ConcurrentStage, scope: StageContext, error: Exception) -> Sequence[Record]:
    """What goes out before a dead letter; nothing for bytes that could not be decoded."""
    try:
        value = stage.decode(scope.record)
    except Exception:
        return []
    return require_publishable(list(await stage.on_give_up(value, scope, error))) if stage.on_give_up else []


async def _call(waiting: Iterable[Callable[[], None]]) -> None:
    """Calls them, and waits for the tasks that they start."""
    for then in waiting:
        then()
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not asyncio.current_task()))


async def _no_wait(_: float) -> None:
    """Time passes at once in a test."""
