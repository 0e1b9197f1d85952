"""The stock agent, until the last of what it has sent is acknowledged."""

from __future__ import annotations

import asyncio
from typing import Any

import faust
import uvloop

from bench.candidate import Measured, Stopwatch, Task, read_task, tune, write_result
from bench.intake.settings import settings_of, tenants_of
from bench.stock.intake import intake
from bench.waiting import until


async def run(task: Task) -> Measured:
    app = intake(settings_of(task), tenants_of(task), task.source)
    app.conf.web_enabled = False
    starting = asyncio.create_task(app.start())
    try:
        return await _measure(app, task.records)
    finally:
        await app.stop()
        await starting


async def _measure(app: faust.App, records: int) -> Measured:
    monitor: Any = app.monitor
    await until(lambda: monitor.events_total > 0, 0.001)
    watch = Stopwatch()
    await until(lambda: monitor.events_total >= records and not monitor.events_active)
    await _acknowledged(app.producer)
    return watch.stop(records)


async def _acknowledged(producer: Any) -> None:
    """Stock Faust's flush gives up after 100 ms, so it is repeated until nothing is left."""
    while producer.buffer.size:
        await producer.buffer.flush()
    await producer.flush()


if __name__ == "__main__":
    tune()
    write_result(uvloop.run(run(read_task())))
