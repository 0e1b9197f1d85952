"""handle as a plain agent: events in, commands out."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import faust

from bench.stock.app import Topics, raw_topic, stock_app
from pipeline.errors import Unavailable
from pipeline.handlers.runner import HandlerRunner
from pipeline.settings import Settings
from pipeline.tenants import Tenants
from pipeline.topics.catalogue import HANDLERS, events
from pipeline.topics.codec import encode_command
from pipeline.topics.commands import Command
from pipeline.topics.events import Event, decode
from pipeline.topics.records import ConsumedRecord


def handlers(settings: Settings, tenants: Tenants, concurrency: int) -> faust.App:
    """Return the same runner and handlers as ours.

    Args:
        concurrency: events handled at once. Above 1, Faust keeps no order, not even of one conversation, and commits
            past events that are not finished.
    """
    app = stock_app(f"{HANDLERS}-default", settings)
    topics = Topics(app)
    runner = HandlerRunner(settings, tenants)

    async def run(stream: Any) -> None:
        async for event in stream.events():
            for command in await _run(runner, decode(cast(ConsumedRecord, event.message))):
                await topics.send(encode_command(command))

    app.agent(raw_topic(app, events("default").name), name=HANDLERS, concurrency=concurrency)(run)
    return app


async def _run(runner: HandlerRunner, event: Event) -> list[Command]:
    """Until Redis is back: an exception would end the agent, and stock Faust would let the event's offset go."""
    while True:
        try:
            return await runner.run(event)
        except Unavailable:
            await asyncio.sleep(0.5)
