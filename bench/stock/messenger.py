"""send as a plain agent: commands in, calls to the provider, outcomes out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast

import faust

from bench.stock.app import Topics, raw_topic, stock_app
from pipeline.messenger.dispatch import Dispatcher
from pipeline.messenger.slots import SlotBounds
from pipeline.providers import PROVIDERS
from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.settings import Settings
from pipeline.tenants import Tenants
from pipeline.topics.catalogue import COMMANDS_BULK, COMMANDS_INTERACTIVE, MESSENGER, SENT
from pipeline.topics.codec import decode_command, encode_outcome
from pipeline.topics.commands import Command
from pipeline.topics.outcomes import Outcome, OutcomeStatus
from pipeline.topics.records import ConsumedRecord

_FINAL = {
    AttemptStatus.ACCEPTED: OutcomeStatus.ACCEPTED,
    AttemptStatus.PERMANENT: OutcomeStatus.FAILED,
    AttemptStatus.RETRYABLE: OutcomeStatus.FAILED,
    AttemptStatus.UNKNOWN: OutcomeStatus.UNKNOWN,
}


def messenger(settings: Settings, tenants: Tenants, concurrency: int) -> faust.App:
    """Return the same limiter and the same calls as ours, and a table of what was sent.

    Unlike ours it notes nothing before a call, so a call that was cut off is made again.

    Args:
        concurrency: commands carried out at once; above 1 in no order.
    """
    app = stock_app(MESSENGER, settings)
    sent: Any = app.Table(SENT, key_type=bytes, value_type=bytes, partitions=settings.partitions)
    topics = Topics(app)

    @cache
    def dispatcher() -> Dispatcher:
        """Made inside the running loop."""
        calls = settings.send_concurrency
        return Dispatcher(PROVIDERS, tenants, SlotBounds(calls, calls, calls))

    async def run(stream: Any) -> None:
        async for event in stream.events():
            command = decode_command(cast(ConsumedRecord, event.message))
            command_id = command.command_id.encode()
            if sent.get(command_id) is not None:
                continue
            delivery = await _delivered(dispatcher(), command)
            await topics.send(encode_outcome(_outcome(command, delivery)))
            sent[command_id] = delivery.status.encode()

    app.agent(_commands(app), name=MESSENGER, concurrency=concurrency)(run)
    return app


def _commands(app: faust.App) -> Any:
    return raw_topic(app, COMMANDS_INTERACTIVE.name, COMMANDS_BULK.name)


async def _delivered(dispatcher: Dispatcher, command: Command) -> SendAttempt:
    tries = 0
    while True:
        with await dispatcher.begin(command, asyncio.sleep, lambda _: None) as call:
            delivery, tries = await dispatcher.attempt(command, call=call), tries + 1
        again = dispatcher.retry_delay(command, delivery, tries) if delivery.status is AttemptStatus.RETRYABLE else None
        if again is None:
            return delivery
        await asyncio.sleep(again)


def _outcome(command: Command, delivery: SendAttempt) -> Outcome:
    return Outcome(
        command_id=command.command_id,
        event_id=command.event_id,
        tenant_id=command.tenant_id,
        provider=command.provider,
        account=command.account,
        recipient=command.recipient,
        status=_FINAL[delivery.status],
        message_id=delivery.message_id,
        error_code=delivery.error_code,
        error_message=delivery.error_message,
        at=datetime.now(UTC),
        traceparent=command.traceparent,
    )
