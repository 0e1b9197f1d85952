"""handle: an event → the commands that its tenant's handler asks for. One event at a time per conversation."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from pipeline.handlers.runner import HandlerRunner
from pipeline.runtime import ConcurrentStage, Scope
from pipeline.topics.codec import encode_command
from pipeline.topics.commands import Command
from pipeline.topics.dead_letters import is_redriven
from pipeline.topics.events import Event, decode
from pipeline.topics.freshness import is_stale
from pipeline.topics.records import Record


def handle(runner: HandlerRunner, concurrency: int) -> ConcurrentStage:
    async def run(event: Event, scope: Scope) -> Iterable[Record]:
        publish_immediate, record = partial(_publish, scope), scope.record
        stale, redriven = is_stale(record), is_redriven(record)
        commands = await runner.run(event, publish_immediate, scope.when_committed, stale=stale, redriven=redriven)
        return [encode_command(command) for command in commands]

    async def last_word(event: Event, scope: Scope, error: Exception) -> Iterable[Record]:
        return [encode_command(command) for command in await runner.give_up(event, error, scope.when_committed)]

    return ConcurrentStage("handle", run, decode, lambda event: event.conversation, concurrency, last_word)


async def _publish(scope: Scope, command: Command) -> None:
    await scope.publish([encode_command(command)])
