"""Carrying a command out once, whatever dies: what stands about it decides, an intent goes before every call."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from pipeline.delivery.standing import Decision, Doubt, Standing, State, decide, decode
from pipeline.errors import RetryAfter
from pipeline.providers.base import Delivery, DeliveryStatus
from pipeline.providers.dispatch import Dispatcher
from topics.commands import Command, CommandKind
from topics.outcomes import Outcome, OutcomeStatus

ASK_AGAIN = 0.25
"""Seconds between two looks for the status of a send in doubt."""


class Rows(Protocol):
    """The messenger's table: how each command stands, by its id."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, value: bytes) -> None: ...


class Hand(Protocol):
    """What holds the command meanwhile."""

    async def wait(self, seconds: float) -> None: ...

    async def persist(self) -> None:
        """Makes the rows durable now."""


class Courier:
    """Decides about commands and calls providers through the dispatcher.

    `heard` tells until when, in unix seconds, every status that came has been heard: behind a backlog a window of
    wall time would be over before the statuses that it waits for are read.
    """

    def __init__(self, dispatcher: Dispatcher, reconcile_window: float, heard: Callable[[], float] = time.time) -> None:
        self._dispatcher = dispatcher
        self._window = reconcile_window
        self._heard = heard
        self._started = time.time()

    async def carry_out(self, command: Command, rows: Rows, hand: Hand) -> Outcome | None:
        """The outcome, or None if the command has one already. Raises `RetryAfter` to be asked again later."""
        standing = decode(rows.get(command.command_id))
        match decide(standing, self._doubt(command, standing)):
            case Decision.DONE:
                return None
            case Decision.WAIT:
                raise RetryAfter("it may have been sent: waiting for its status", ASK_AGAIN)
            case Decision.RECEIVED:
                told = Delivery(DeliveryStatus.ACCEPTED, standing.detail if standing else None)
                outcome = _outcome(command, OutcomeStatus.ACCEPTED, told)
            case Decision.GIVE_UP:
                outcome = _outcome(command, OutcomeStatus.UNKNOWN)
            case Decision.CALL:
                outcome = await self._call(command, standing.tries if standing else 0, rows, hand)
        rows.put(command.command_id, Standing(State.CLOSED, time.time(), detail=outcome.status).encode())
        return outcome

    async def _call(self, command: Command, tries: int, rows: Rows, hand: Hand) -> Outcome:
        await self._dispatcher.turn(command, hand.wait)
        if command.expires_at is not None and command.expires_at <= datetime.now(UTC):
            return _outcome(command, OutcomeStatus.EXPIRED, retried=tries)
        await self._note(command, State.INTENT, tries, rows, hand)
        delivery = await self._dispatcher.call(command)
        if delivery.status is DeliveryStatus.UNKNOWN:
            raise RetryAfter("no answer came: waiting for its status", ASK_AGAIN)
        if delivery.status is DeliveryStatus.RETRYABLE:
            await self._note(command, State.RETRY, tries + 1, rows, hand)
            delay = self._dispatcher.next_try(command, delivery, tries + 1)
            if delay is not None:
                raise RetryAfter(f"{command.provider}: {delivery.error_code or delivery.error_message}", delay)
        accepted = delivery.status is DeliveryStatus.ACCEPTED
        return _outcome(command, OutcomeStatus.ACCEPTED if accepted else OutcomeStatus.FAILED, delivery, tries)

    async def _note(self, command: Command, state: State, tries: int, rows: Rows, hand: Hand) -> None:
        """Remembers a step before the next one is taken. A read mark may be done twice, so it needs no intent."""
        if command.kind is CommandKind.READ and state is State.INTENT:
            return
        rows.put(command.command_id, Standing(state, time.time(), tries).encode())
        await hand.persist()

    def _doubt(self, command: Command, standing: Standing | None) -> Doubt:
        repeatable = command.kind is CommandKind.READ
        heard = self._heard() if standing is not None and standing.state is State.INTENT else 0.0
        return Doubt(self._window, self._dispatcher.resends(command), self._started, heard, repeatable)


def _outcome(command: Command, status: OutcomeStatus, delivery: Delivery | None = None, retried: int = 0) -> Outcome:
    return Outcome(
        command_id=command.command_id,
        event_id=command.event_id,
        tenant_id=command.tenant_id,
        provider=command.provider,
        account=command.account,
        recipient=command.recipient,
        status=status,
        message_id=delivery.message_id if delivery else None,
        error_code=delivery.error_code if delivery else None,
        error_message=delivery.error_message if delivery else None,
        retried=retried,
        at=datetime.now(UTC),
        traceparent=command.traceparent,
    )
