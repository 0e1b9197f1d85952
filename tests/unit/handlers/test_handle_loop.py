"""The stage handle in its loop, as one worker runs it: slow handlers side by side, each conversation in order."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from pipeline.agents.handle import handle
from pipeline.handlers import EventHandler
from pipeline.settings import Settings
from pipeline.testing import TestRecord
from pipeline.topics.codec import decode_command
from pipeline.topics.commands import Command
from pipeline.topics.events import EventBase
from tests.support import handlers_for_tests as handlers
from tests.support.handler_events import text
from tests.support.loop_stand_ins import TP0, FakeApp, until
from tests.support.runners import runner_of
from tests.support.waiting import HANG


def _worked(kind: type[EventHandler], events: list[EventBase]) -> list[Command]:
    """What one worker publishes for these events."""

    async def body() -> list[Command]:
        app = FakeApp()
        runner, _, _ = runner_of(kind)
        loop = app.concurrent(handle(runner, Settings().handler_concurrency))
        loop.buffer.add(TP0, [_record(event, offset) for offset, event in enumerate(events)])
        running = asyncio.ensure_future(loop.run())
        try:
            async with asyncio.timeout(HANG):
                await until(lambda: app.assignment.positions.get(TP0) == len(events))
        finally:
            running.cancel()
            await asyncio.wait([running])
        return [decode_command(TestRecord(value)) for value in app.publisher.published]

    return asyncio.run(body())


def _record(event: EventBase, offset: int) -> TestRecord:
    return TestRecord(event.model_dump_json().encode(), event.conversation.encode(), topic="in", offset=offset)


def test_a_thousand_users_of_a_slow_handler_are_worked_on_side_by_side() -> None:
    """If one slow service held up who does not ask it, the thousandth user would wait for two minutes."""
    events = [text(message_id=f"wamid.{user}", from_=f"1555000{user}") for user in range(1000)]
    commands = _worked(handlers.Waits, [*events])
    assert {command.recipient for command in commands} == {event.contact for event in events}
    assert len(commands) == 1000


def test_each_conversation_stays_in_order() -> None:
    """If a quick answer overtook a slow one, a conversation would make no sense."""
    events = [
        text(str(turn), message_id=f"wamid.{user}.{turn}", from_=f"1555000{user}")
        for turn in range(20)
        for user in range(20)
    ]
    commands = _worked(handlers.Dawdles, [*events])
    answers: dict[str, list[str]] = defaultdict(list)
    for command in commands:
        answers[command.recipient].append(command.body["text"])
    assert list(answers.values()) == [[str(turn) for turn in range(20)]] * 20
