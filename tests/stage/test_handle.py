"""handle: what a handler asks for, in the order in which it takes effect."""

from __future__ import annotations

import asyncio

from pipeline.agents.handle import handle
from pipeline.handlers import EventHandler
from pipeline.handlers.runner import HandlerRunner
from pipeline.state import MemoryStore
from pipeline.testing import TestRecord, TopologyTestDriver
from pipeline.topics.codec import decode_command
from pipeline.topics.commands import CommandKind
from tests.support import handlers_for_tests as handlers
from tests.support.handler_events import settings, tenants, text


def _driver(kind: type[EventHandler] = handlers.Attentive) -> TopologyTestDriver:
    path = f"{handlers.__name__}.{kind.__name__}"

    async def runner() -> HandlerRunner:
        return HandlerRunner(settings(path), tenants(), MemoryStore())

    return TopologyTestDriver(handle(asyncio.run(runner()), 10))


def test_a_read_mark_is_published_before_the_answers_that_were_asked_for_before_it() -> None:
    """The user would see the answer first, and then that it is being written."""
    driver, event = _driver(), text()
    driver.pipe(TestRecord(event.model_dump_json().encode()))
    commands = [decode_command(TestRecord.of(record)) for record in driver.published]
    assert [command.kind for command in commands] == [CommandKind.READ, CommandKind.TEXT, CommandKind.TEXT]
    assert {record.topic for record in driver.published} == {"commands.interactive"}


def test_an_apology_goes_out_with_the_dead_letter() -> None:
    """The user would wait for an answer that nobody is going to give."""
    driver, event = _driver(handlers.AlwaysSorry), text()
    driver.pipe(TestRecord(event.model_dump_json().encode()))
    assert len(driver.dead_letters) == 1
    apology, _ = driver.published
    assert decode_command(TestRecord.of(apology)).body["text"] == "sorry: never"
