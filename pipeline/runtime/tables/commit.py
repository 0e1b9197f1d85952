"""The one order in which a finished batch takes effect."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pipeline.runtime.flows.chain import Output
from pipeline.runtime.kafka.accumulator import Draft
from pipeline.runtime.tables.views import TableWrite

if TYPE_CHECKING:
    from pipeline.runtime.faust.app import PipelineApp

Marks = Callable[[Sequence[Output]], Sequence[TableWrite]]
"""What is to be remembered, given the outputs that the broker refused: nothing of their source records."""


async def commit(app: PipelineApp, draft: Draft, marks: Marks) -> list[Output]:
    """Publish, await, mark. The caller lets the offsets go afterwards, and not if this raises.

    Gives the outputs that the broker refuses for their size. Their source records are finished when their dead letters
    are published.
    """
    refused = await app.publisher.send(draft)
    if left := marks(refused):
        await _mark(app, left)
    return refused


async def _mark(app: PipelineApp, marks: Sequence[TableWrite]) -> None:
    changelogs = {name: store.changelog for name, store in app.table_stores.items()}
    async with app.marking:  # the stores must get the rows of several flows in the changelog's order
        landed = await app.publisher.changelog(changelogs, marks)
        for table, rows in _by_table(marks).items():
            spans = {partition: span for (name, partition), span in landed.items() if name == table}
            app.table_stores[table].apply(rows, spans)
        app.pending.discard(marks)


def _by_table(marks: Sequence[TableWrite]) -> dict[str, list[TableWrite]]:
    tables: dict[str, list[TableWrite]] = defaultdict(list)
    for mark in marks:
        tables[mark[0]].append(mark)
    return tables
