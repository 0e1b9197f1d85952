"""Building an app: what is no flow is refused, and what it needs is known before it starts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InvalidRecord, UsageError
from pipeline.runtime import ConcurrentStage, PipelineApp, Stage, StageContext, Through
from pipeline.runtime.flows.stage import split_hops
from pipeline.runtime.process.worker import _start
from pipeline.settings import Settings
from pipeline.testing import TestRecord, TopologyTestDriver
from pipeline.topics.records import Record


def _pass(value: Any, _: StageContext) -> Iterable[Any]:
    return (value,)


async def _nothing(_value: Any, _scope: StageContext) -> Iterable[Record]:
    return ()


def _refuse(_: Any) -> Any:
    raise InvalidRecord("not what the topic promises")


ONE, TWO = Stage("one", _pass), Stage("two", _pass)
LINK = Through("between", lambda value, _: Record("between", value.key, value.value), lambda record: record)
SLOW = ConcurrentStage("slow", _nothing, lambda record: record, lambda record: record.key)


@pytest.fixture
def app(tmp_path: Path) -> PipelineApp:
    return PipelineApp("a-test", Settings(kafka="127.0.0.1:1", data_dir=tmp_path))


@pytest.mark.parametrize(
    "steps", [(), (ONE, SLOW), (SLOW, ONE), (LINK, ONE), (ONE, LINK), (ONE, LINK, LINK, TWO), (SLOW, SLOW)]
)
def test_what_is_no_chain_is_refused(app: PipelineApp, steps: tuple[Any, ...]) -> None:
    """A stage that somebody wrote would silently not be run."""
    with pytest.raises(UsageError, match="the flow from in"):
        app.flow("in", *steps)


def test_a_second_flow_from_a_topic_is_refused(app: PipelineApp) -> None:
    """The first of the two would never get a record."""
    app.flow("in", ONE)
    with pytest.raises(UsageError, match="two flows from in"):
        app.flow("in", SLOW)


def test_an_app_needs_its_sources_its_changelogs_and_its_dead_letters(app: PipelineApp) -> None:
    """A missing topic would be noticed when the first record is to be written there, by stopping the worker."""
    app.table("seen", ttl=60)
    app.flow("in", ONE, LINK, TWO)
    app.flow("other", SLOW)
    assert app.topic_names == {
        "in",
        "between",
        "other",
        "a-test-seen-changelog",
        "dead-letters.one",
        "dead-letters.two",
        "dead-letters.slow",
    }


@pytest.mark.parametrize(("hop", "stage"), [(0, "one"), (1, "two")])
def test_what_fails_in_a_link_is_a_dead_letter_of_the_stage_beside_it(hop: int, stage: str) -> None:
    """It would go to a topic that nobody has created, and stop the worker for it again and again."""
    link = Through("between", lambda value, _: _refuse(value), _refuse)
    driver = TopologyTestDriver(*split_hops("in", [ONE, link, TWO])[hop][1])
    driver.pipe(TestRecord(b"value"))
    assert [record.topic for record in driver.dead_letters] == [f"dead-letters.{stage}"]


@pytest.mark.parametrize("output", [None, "text", Record("out", b"k", None), Record("out", "k", b"v")])  # type: ignore[arg-type]
def test_an_output_that_cannot_be_published_is_a_dead_letter(output: Any) -> None:
    """A stage that returns a wrong thing for one record would end the process for it, after every restart again."""
    driver = TopologyTestDriver(
        Stage("odd", lambda record, _: (output,) if record.value == b"odd" else (_copy(record),))
    )
    driver.pipe(TestRecord(b"odd"), TestRecord(b"even", offset=1))
    assert [record.topic for record in driver.published] == ["dead-letters.odd", "out"]


def _copy(record: Any) -> Record:
    return Record("out", record.key, record.value)


def test_an_app_that_cannot_start_has_crashed(app: PipelineApp) -> None:
    """The process would stay, half started, and nobody would be told."""
    app.flow("in", ONE)

    async def start() -> bool:
        await _start(app)
        return bool(app.crashed)

    assert asyncio.run(start())
