"""react: an event, a command or an outcome → the commands that an agent beside the handlers asks for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from pipeline.agents.readings import AgentReader, Reading
from pipeline.backoff import RetryPauses
from pipeline.handlers.agents import AgentRunner
from pipeline.runtime import ConcurrentContext, ConcurrentStage, FairKey, Fairness
from pipeline.topics.codec import encode_command
from pipeline.topics.commands import Command
from pipeline.topics.dead_letters import is_redriven
from pipeline.topics.records import Record


def react(runner: AgentRunner, concurrency: int, fairness: Fairness | None = None) -> ConcurrentStage:
    async def run(reading: Reading, context: ConcurrentContext) -> Iterable[Record]:
        if reading.event is None:
            return ()
        publish, redriven = partial(_publish, context), is_redriven(context.record)
        commands = await runner.run(reading.event, publish, context.when_committed, redriven=redriven)
        return [encode_command(command) for command in commands]

    async def on_give_up(reading: Reading, context: ConcurrentContext, error: Exception) -> Iterable[Record]:
        if reading.event is None:
            return ()
        return [encode_command(each) for each in await runner.give_up(reading.event, error, context.when_committed)]

    def retries(_: Reading) -> RetryPauses:
        return runner.agent.retries

    read = AgentReader(runner).read
    return ConcurrentStage(runner.stage, run, read, _conversation, concurrency, on_give_up, fairness, retries)


def fair_key(reading: Reading) -> FairKey:
    """Return the tenant and the conversation of a record."""
    return reading.tenant, reading.conversation


def _conversation(reading: Reading) -> str:
    return reading.conversation


async def _publish(context: ConcurrentContext, command: Command) -> None:
    await context.publish([encode_command(command)])
