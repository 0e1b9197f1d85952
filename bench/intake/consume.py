"""Our worker with a stage that does nothing: what it costs to fetch records and hand them over."""

from __future__ import annotations

from collections.abc import Iterable

from bench.candidate import Measured, Task, read_task, write_result
from bench.intake.ours import measured_worker
from bench.intake.settings import settings_of
from pipeline.runtime import PipelineApp, Stage, StageContext
from pipeline.topics.records import ConsumedRecord, Record

GROUP = "consume"


def run(task: Task) -> Measured:
    def nothing(_: ConsumedRecord, __: StageContext) -> Iterable[Record]:
        return ()

    def build() -> PipelineApp:
        app = PipelineApp(GROUP, settings_of(task))
        app.flow(task.source, Stage("parse", nothing))
        return app

    return measured_worker(build, task)


if __name__ == "__main__":
    write_result(run(read_task()))
