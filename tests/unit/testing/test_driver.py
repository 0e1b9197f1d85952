"""The test driver: real loops in memory, and the names of earlier versions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline import runtime, testing
from pipeline.errors import RetryAfter
from pipeline.runtime import ConcurrentContext, ConcurrentStage, Stage, StageContext
from pipeline.testing import TestRecord, TopologyTestDriver
from pipeline.topics.records import Record


def _copy(record: Any, _: StageContext) -> list[Record]:
    return [Record("out", record.key, record.value)]


def test_records_without_offsets_are_all_run() -> None:
    """A test that makes its records in one line would see the first of them only."""
    driver = TopologyTestDriver(Stage("copy", _copy))
    values = [b"1", b"2", b"3"]
    assert [record.value for record in driver.pipe(*map(TestRecord, values))] == values


def test_a_driver_works_in_a_test_that_has_an_event_loop() -> None:
    """An asynchronous test of a user could not use it."""

    async def test() -> list[Record]:
        return TopologyTestDriver(Stage("copy", _copy)).pipe(TestRecord(b"1"))

    assert len(asyncio.run(test())) == 1


def test_time_passes_at_once() -> None:
    """A test of a stage that waits for an hour would take one."""

    async def work(record: Any, context: ConcurrentContext) -> list[Record]:
        await context.wait(3600)
        if context.attempt < 2:
            raise RetryAfter("later", 3600)
        return [Record("out", record.key, record.value)]

    stage = ConcurrentStage("slow", work, lambda record: record, lambda record: record.key)
    assert len(TopologyTestDriver(stage).pipe(TestRecord(b"1"))) == 1


def test_what_a_stage_raises_that_is_no_failure_reaches_the_test() -> None:
    """An assertion that a test puts into a stage as a `BaseException` would be lost among tasks."""

    class Stop(BaseException): ...

    async def work(_record: Any, _context: ConcurrentContext) -> list[Record]:
        raise Stop

    stage = ConcurrentStage("slow", work, lambda record: record, lambda record: record.key)
    with pytest.raises(Stop):
        TopologyTestDriver(stage).pipe(TestRecord(b"1"))


def test_names_of_earlier_versions_still_work() -> None:
    """A user's stages and tests would not be importable after an upgrade."""
    with pytest.warns(DeprecationWarning, match="StageContext"):
        assert runtime.Scope is StageContext
    with pytest.warns(DeprecationWarning, match="Through"):
        assert runtime.Link is runtime.Through
    with pytest.warns(DeprecationWarning, match="TopologyTestDriver"):
        assert testing.StageDriver is TopologyTestDriver
