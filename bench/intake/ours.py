"""Our worker as it is, `pipeline worker intake`, with a stopwatch beside it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence

from bench.candidate import Measured, Stopwatch, Task, read_task, tune, write_result
from bench.intake.settings import settings_of, tenants_of
from bench.waiting import until
from pipeline.agents import topology
from pipeline.metrics import RECORDS
from pipeline.runtime import PipelineApp
from pipeline.runtime.process import worker


def run(task: Task) -> Measured:
    return measured_worker(lambda: topology.intake(settings_of(task), tenants_of(task)), task)


def measured_worker(build: Callable[[], PipelineApp], task: Task) -> Measured:
    """Run the worker of an app until it has finished the task's records."""
    found: list[asyncio.Task[Measured]] = []

    async def build_and_watch() -> Sequence[PipelineApp]:
        app = build()
        found.append(asyncio.create_task(_measure(app, task.records)))
        return [app]

    tune()
    worker.run(settings_of(task), build_and_watch)
    return found[0].result()


async def _measure(app: PipelineApp, records: int) -> Measured:
    await next(iter(app.buffers.values())).not_empty.wait()
    watch = Stopwatch()
    await until(lambda: _done(app) >= records)
    measured = watch.stop(records)
    os.kill(os.getpid(), signal.SIGTERM)
    return measured


def _done(app: PipelineApp) -> float:
    """Record whose outputs and marks are acknowledged."""
    samples = next(iter(RECORDS.labels(app.conf.id, "done").collect())).samples
    return next(sample.value for sample in samples if sample.name.endswith("_total"))


if __name__ == "__main__":
    write_result(run(read_task()))
