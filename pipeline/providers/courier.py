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
from topics.commands import EARLY, PREFIX, Command
from topics.outcomes import Outcome, OutcomeStatus

RESENDS = 3
"""Times that a send in doubt is sent again."""
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
    wall time would be over before the statuses that it waits for are read. A send in doubt is sent again `resends`
    times at most: each may be a double, and a provider that never answers would be called for ever.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        reconcile_window: float,
        heard: Callable[[], float] = time.time,
        resends: int = RESENDS,
    ) -> None:
        self._dispatcher = dispatcher
        self._window = reconcile_window
        self._resends = resends
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
                outcome = await self._call(command, _meant(standing), rows, hand)
        rows.put(command.command_id, Standing(State.CLOSED, time.time(), detail=outcome.message_id or "").encode())
        return outcome

    async def _call(self, command: Command, intent: Standing, rows: Rows, hand: Hand) -> Outcome:
        tries = intent.tries
        await self._dispatcher.turn(command, hand.wait)
        if command.expires_at is not None and command.expires_at <= datetime.now(UTC):
            return _outcome(command, OutcomeStatus.EXPIRED, retried=tries)
        meant = with_message_ids(command, rows)
        if isinstance(meant, Delivery):
            return _outcome(command, OutcomeStatus.FAILED, meant, tries)
        await self._note(command, intent, rows, hand)
        delivery = await self._dispatcher.call(meant)
        doubtful = delivery.status is DeliveryStatus.UNKNOWN
        if doubtful and command.kind not in EARLY:
            raise RetryAfter("no answer came: waiting for its status", ASK_AGAIN)
        if doubtful or delivery.status is DeliveryStatus.RETRYABLE:
            await self._note(command, intent._replace(state=State.RETRY, tries=tries + 1), rows, hand)
            delay = self._dispatcher.next_try(command, delivery, tries + 1)
            if delay is not None:
                raise RetryAfter(f"{command.provider}: {delivery.error_code or delivery.error_message}", delay)
        accepted = delivery.status is DeliveryStatus.ACCEPTED
        return _outcome(command, OutcomeStatus.ACCEPTED if accepted else OutcomeStatus.FAILED, delivery, tries)

    async def _note(self, command: Command, step: Standing, rows: Rows, hand: Hand) -> None:
        """Remembers a step before the next one is taken. What may be done twice needs no intent."""
        if command.kind in EARLY and step.state is State.INTENT:
            return
        rows.put(command.command_id, step._replace(at=time.time()).encode())
        await hand.persist()

    def _doubt(self, command: Command, standing: Standing | None) -> Doubt:
        repeatable = command.kind in EARLY
        heard = self._heard() if standing is not None and standing.state is State.INTENT else 0.0
        resends = self._resends if self._dispatcher.resends(command) else 0
        return Doubt(self._window, resends, self._started, heard, repeatable)


def _meant(standing: Standing | None) -> Standing:
    """The intent of another call of a command that stands so."""
    if standing is None:
        return Standing(State.INTENT, 0.0)
    return standing._replace(state=State.INTENT, resends=standing.resends + (standing.state is State.INTENT))


def with_message_ids(command: Command, rows: Rows) -> Command | Delivery:
    """The command, speaking of messages by the provider's ids where it speaks of them by commands' ids.

    A command that never became a message can't be answered or changed: that is a failure for good. Raises `RetryAfter`
    for one that is still on its way.
    """
    about = command.body.get("message_id")
    known = {each: _message_of(each, rows) for each in (command.reply_to, about) if _is_command(each)}
    if lost := next((each for each, message_id in known.items() if not message_id), None):
        return Delivery(DeliveryStatus.PERMANENT, error_message=f"{lost} did not become a message")
    if not known:
        return command
    body = command.body | ({"message_id": known[about]} if about in known else {})
    return command.model_copy(update={"reply_to": known.get(command.reply_to, command.reply_to), "body": body})


def _message_of(command_id: str | None, rows: Rows) -> str:
    """The provider's id of the message that a command became; empty if it became none."""
    standing = decode(rows.get(command_id or ""))
    if standing is not None and standing.state in (State.INTENT, State.RETRY):
        raise RetryAfter("the message that it is about is still on its way", ASK_AGAIN)
    return standing.detail if standing else ""


def _is_command(message_id: object) -> bool:
    return isinstance(message_id, str) and message_id.startswith(PREFIX)


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
