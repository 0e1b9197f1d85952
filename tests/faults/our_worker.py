"""`python -m tests.faults.our_worker NAME`: what `stock_worker` does, as stages of a `PipelineApp`.

Beside them, `NAME-plain` runs some of the stock worker's very agents on a `PipelineApp`.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from pipeline.backoff import RetryPolicy
from pipeline.logging import configure
from pipeline.runtime import ConcurrentStage, PipelineApp, Stage, StageContext
from pipeline.runtime.process.worker import run
from pipeline.settings import Settings, load_settings
from pipeline.topics.records import ConsumedRecord, Record
from tests.faults import loss_cases as cases
from tests.faults import stock_worker
from tests.faults.loss_cases import Order, held, order_of
from tests.faults.power import fail_after_a_commit_of


def flows(name: str, settings: Settings) -> PipelineApp:
    """One flow for each way of losing a record: what holds is a concurrent stage, the rest are quick ones."""
    app = PipelineApp(name, settings, RetryPolicy(max_attempts=2, initial_delay=0.01, max_delay=0.01))
    fail_after_a_commit_of(app, cases.source(name, cases.FLUSH), name)
    app.table(cases.TABLE, ttl=3600)
    for path in (cases.RAISED, cases.BATCH, cases.REFUSED):
        app.flow(cases.source(name, path), Stage(f"{name}-{path}", _copying(cases.sink(name, path))))
    for path in (cases.UNFINISHED, cases.CANCELLED):
        stage = ConcurrentStage(f"{name}-{path}", _holding(cases.sink(name, path)), lambda record: record, _offset)
        app.flow(cases.source(name, path), stage)
    app.flow(cases.source(name, cases.FLUSH), ConcurrentStage(f"{name}-{cases.FLUSH}", _writing, _same, _offset))
    return app


def plain(name: str, settings: Settings) -> PipelineApp:
    """The very agents of the stock worker."""
    app = PipelineApp(name, settings)
    stock_worker.agents(app, name)
    return app


def dying(name: str, settings: Settings) -> PipelineApp:
    app = PipelineApp(name, settings)
    stock_worker.dying(app, name)
    return app


def _same(record: ConsumedRecord) -> ConsumedRecord:
    return record


def _offset(record: ConsumedRecord) -> int:
    """Every record is a lane of its own, as if it were of another conversation."""
    return record.offset


def _copying(output: str) -> Callable[[Any, StageContext], Iterable[Record]]:
    def copy(record: ConsumedRecord, _: StageContext) -> Iterable[Record]:
        order = order_of(record.value)
        if order.get("do") == "raise":
            raise RuntimeError("bad luck")
        return (Record(output, b"k", orjson.dumps(order)),)

    return copy


def _holding(output: str) -> Any:
    async def hold(record: ConsumedRecord, _: StageContext) -> Iterable[Record]:
        order = order_of(record.value)
        await _until_free(order)
        return (Record(output, b"k", orjson.dumps(order)),)

    return hold


async def _writing(record: ConsumedRecord, context: StageContext) -> Iterable[Record]:
    order = order_of(record.value)
    await _until_free(order)
    if order.get("do") == "rows":
        for number in range(cases.ROWS):
            context.table(cases.TABLE).put(str(number), cases.ROW)
    return ()


async def _until_free(order: Order) -> None:
    while held(order):  # noqa: ASYNC110 (what is waited for is in another process)
        await asyncio.sleep(0.02)


def main(name: str, program: str = "flows") -> None:
    configure("json", "info")
    logging.getLogger("faust.tables.recovery").setLevel(logging.INFO)  # says when the worker is ready
    settings = load_settings()

    async def build() -> Sequence[PipelineApp]:
        if program == "dying":
            return [dying(name, settings)]
        return [flows(name, settings), plain(f"{name}-plain", settings)]

    run(settings, build)


if __name__ == "__main__":
    main(*sys.argv[1:])
