"""handle: an event → the commands that its tenant's handler asks for. One event at a time per conversation."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

from pipeline.backoff import RetryPauses
from pipeline.handlers.runner import HandlerRunner
from pipeline.runtime import ConcurrentContext, ConcurrentStage, FairKey, Fairness
from pipeline.topics.codec import encode_command
from pipeline.topics.commands import Command
from pipeline.topics.dead_letters import is_redriven, is_redriven_for_another
from pipeline.topics.events import Event, decode
from pipeline.topics.freshness import is_stale
from pipeline.topics.records import Record

STAGE: Final = "handle"


def handle(runner: HandlerRunner, concurrency: int, fairness: Fairness | None = None) -> ConcurrentStage:
    async def run(event: Event, context: ConcurrentContext) -> Iterable[Record]:
        publish_immediate, record = partial(_publish, context), context.record
        stale, redriven = is_stale(record), is_redriven(record)
        if redriven and is_redriven_for_another(record, STAGE):
            return []
        commands = await runner.run(event, publish_immediate, context.when_committed, stale=stale, redriven=redriven)
        return [encode_command(command) for command in commands]

    async def on_give_up(event: Event, context: ConcurrentContext, error: Exception) -> Iterable[Record]:
        return [encode_command(command) for command in await runner.give_up(event, error, context.when_committed)]

    def retries(event: Event) -> RetryPauses:
        return runner.retries(event)

    return ConcurrentStage(
        STAGE, run, decode, lambda event: event.conversation, concurrency, on_give_up, fairness, retries
    )


def fair_key(event: Event) -> FairKey:
    """Return the tenant and the conversation of an event."""
    return event.tenant_id, event.conversation


async def _publish(context: ConcurrentContext, command: Command) -> None:
    await context.publish([encode_command(command)])
