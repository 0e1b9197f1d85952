"""Agents that tests name by their dotted path."""

from __future__ import annotations

import asyncio
from typing import Any

from pipeline.errors import PermanentError
from pipeline.handlers import Effects, EventHandler, agent
from pipeline.topics.commands import Command
from pipeline.topics.events import APIMessageEvent, EventBase, MessageEvent
from pipeline.topics.outcomes import Outcome

TABLE = "counts"


@agent(MessageEvent)
async def counts(event: MessageEvent, effects: Effects) -> None:
    """Counts a user's messages, in rows of its own."""
    await effects.tables.increment_field(TABLE, event.user.user_id, "messages")


@agent(MessageEvent)
async def raises(event: MessageEvent, effects: Effects) -> None:
    """Fails for every message."""
    await effects.tables.increment_field(TABLE, event.user.user_id, "messages")
    raise RuntimeError("this agent always raises")


@agent(MessageEvent)
async def picky(event: MessageEvent, effects: Effects) -> None:
    """Takes every message but one for what it can't process."""
    await effects.tables.increment_field(TABLE, event.user.user_id, "messages")
    if event.get_message_text() == "3":
        raise PermanentError("three is no number that this agent takes")


@agent(MessageEvent)
async def slow(event: MessageEvent, effects: Effects) -> None:
    """Takes its time for every message."""
    await asyncio.sleep(20)


@agent(MessageEvent)
async def also_answers(event: MessageEvent, effects: Effects) -> None:
    await effects.messenger.send_text(f"Noted: {event.get_message_text()}", event.user.user_id)


@agent(Outcome)
async def fates(outcome: Outcome, effects: Effects) -> None:
    await effects.tables.increment_field(TABLE, outcome.recipient, outcome.status.value)


@agent(MessageEvent, Command, Outcome)
async def answers_everything(found: MessageEvent | Command | Outcome, effects: Effects) -> None:
    """Would answer itself for ever, if it got what its own answers cause."""
    recipient = found.user.user_id if isinstance(found, MessageEvent) else found.recipient
    await effects.messenger.send_text("Me too", recipient)


@agent(APIMessageEvent)
async def audits(event: APIMessageEvent, effects: Effects) -> None:
    await effects.tables.increment_field(TABLE, "api", "sends")


class Counter(EventHandler):
    """A handler's class beside the handlers."""

    async def process_message(self, webhook: MessageEvent) -> None:
        await self.cache_factory.create_table_cache(self.messenger.tenant_id).increment_field(TABLE, "all", "messages")

    async def process_failure(self, webhook: EventBase, error: Exception) -> None:
        """Apologise to nobody."""


class Apologising(EventHandler):
    """Fails for every message, and says so."""

    async def process_message(self, webhook: MessageEvent) -> None:
        raise RuntimeError("never")

    async def process_failure(self, webhook: EventBase, error: Exception) -> None:
        await self.messenger.send_text("sorry", webhook.contact or "")


def plain(app: Any) -> None:
    """Adds a plain Faust agent, which counts what it reads in a table."""
    table = app.Table("totals", default=int, key_type=str, value_type=int)

    async def totals(stream: Any) -> None:
        async for _ in stream:
            table["events"] += 1

    events = app.topic("events.default", value_serializer="raw", key_serializer="raw", value_type=bytes)
    app.agent(events)(totals)


async def forgot_the_decorator(event: MessageEvent, effects: Effects) -> None:
    """No agent: nothing says what it takes."""
