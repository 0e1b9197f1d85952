"""handle: an event → the commands that its tenant's handler asks for. One event at a time per conversation."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from pipeline.handlers.runner import HandlerRunner
from pipeline.runtime import ConcurrentStage, Scope
from topics.codec import encode_command
from topics.commands import Command
from topics.events import Event, decode
from topics.freshness import is_stale
from topics.records import Record


def handle(runner: HandlerRunner, concurrency: int) -> ConcurrentStage:
    async def run(event: Event, scope: Scope) -> Iterable[Record]:
        commands = await runner.run(event, partial(_publish, scope), stale=is_stale(scope.record))
        return [encode_command(command) for command in commands]

    async def last_word(event: Event, _: Scope, error: Exception) -> Iterable[Record]:
        return [encode_command(command) for command in await runner.last_word(event, error)]

    return ConcurrentStage("handle", run, decode, lambda event: event.conversation, concurrency, last_word)


async def _publish(scope: Scope, command: Command) -> None:
    await scope.publish([encode_command(command)])
