"""The one order in which a finished batch takes effect."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.runtime.chain import Output
from pipeline.runtime.tables import Mark

if TYPE_CHECKING:
    from pipeline.runtime.app import PipelineApp


async def commit(app: PipelineApp, outputs: Sequence[Output], marks: Sequence[Mark]) -> None:
    """Publish, await, mark. The caller lets the offsets go afterwards, and not if this raises."""
    if outputs:
        await app.publisher.publish(outputs)
    if marks:
        await _mark(app, marks)


async def _mark(app: PipelineApp, marks: Sequence[Mark]) -> None:
    changelogs = {name: store.changelog for name, store in app.table_stores.items()}
    async with app.marking:  # the stores must get the rows of several flows in the changelog's order
        landed = await app.publisher.changelog(changelogs, marks)
        for table, rows in _by_table(marks).items():
            spans = {partition: span for (name, partition), span in landed.items() if name == table}
            app.table_stores[table].apply(rows, spans)
        app.pending.settle(marks)


def _by_table(marks: Sequence[Mark]) -> dict[str, list[Mark]]:
    tables: dict[str, list[Mark]] = defaultdict(list)
    for mark in marks:
        tables[mark[0]].append(mark)
    return tables
