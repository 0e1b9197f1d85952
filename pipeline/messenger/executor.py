"""Carrying a command out once, whatever dies: what stands about it decides, an intent goes before every call."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from pipeline import clock
from pipeline.errors import CallWithheld, NewerRecord, RetryAfter
from pipeline.messenger.command_state import (
    Decision,
    Doubt,
    Standing,
    State,
    decide,
    decode,
    decode_due,
    due_key,
    encode_due,
)
from pipeline.messenger.connections import Permit
from pipeline.messenger.dispatch import Dispatcher
from pipeline.providers.base import Delivery, DeliveryStatus
from pipeline.topics.commands import IMMEDIATE, PREFIX, Command, CommandKind
from pipeline.topics.outcomes import Outcome, OutcomeStatus

RESENDS = 3
"""Times that a send in doubt is sent again."""
ASK_AGAIN = 0.25
"""Seconds between two looks for the status of a send in doubt, or for who owns the partition."""
LOOK_AGAIN = 60.0
"""Seconds until a command whose next try is due later is looked at: a status or its expiry may settle it before."""
UNBEGUN_WAIT = 300.0
"""Seconds that a command waits for another one that it names and that has not begun."""
FRESH = 20.0
"""Seconds that an intent is fresh at least: more than a call may take to get its connection."""


class Rows(Protocol):
    """The messenger's table: how each command stands, by its id."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, value: bytes) -> None: ...


class Hand(Protocol):
    """What holds the command meanwhile."""

    async def wait(self, seconds: float) -> None:
        """Raises where the command is somebody else's by then."""

    async def persist(self) -> None:
        """Makes the rows durable now."""

    def owned(self) -> bool:
        """Whether this process is sure that nobody else can have the command."""


class Courier:
    """Decides about commands and calls providers through the dispatcher.

    `heard` tells until when, in unix seconds, every status of a command that came has been heard: behind a backlog a
    window of wall time would be over before the statuses that it waits for are read. A send in doubt is sent again
    `resends` times at most: each may be a double, and a provider that never answers would be called for ever. `now`
    gives unix seconds: what it is compared with was written by other processes.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        reconcile_window: float,
        heard: Callable[[Command], float] | None = None,
        resends: int = RESENDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._dispatcher = dispatcher
        self._window = reconcile_window
        self._resends = resends
        self._heard = heard or (lambda _: now())
        self._now = now
        self._started = now()

    async def carry_out(self, command: Command, rows: Rows, hand: Hand) -> Outcome | None:
        """The outcome, or None if the command has one already. Raises `RetryAfter` to be asked again later."""
        standing = decode(rows.get(command.command_id))
        match decide(standing, self._doubt(command, standing)):
            case Decision.DONE:
                return None
            case Decision.WAIT:
                raise RetryAfter("it may have been sent: waiting for its status", ASK_AGAIN)
            case Decision.RECEIVED:
                outcome = _received(command, standing)
            case Decision.GIVE_UP:
                outcome = _outcome(command, OutcomeStatus.UNKNOWN)
            case Decision.CALL:
                outcome = await self._send(command, standing, rows, hand)
        closed = Standing(
            State.CLOSED, self._now(), detail=outcome.message_id or "", more=standing.more if standing else ()
        )
        rows.put(command.command_id, closed.encode())
        return outcome

    async def _send(self, command: Command, standing: Standing | None, rows: Rows, hand: Hand) -> Outcome:
        """What became of it, as soon as it is due and the account has its turn."""
        if not command.kind.known:
            raise NewerRecord("a command of a kind that this worker does not know")
        tries = standing.tries if standing else 0
        if self._expired(command):
            return _outcome(command, OutcomeStatus.EXPIRED, retried=tries)
        self._require_due(command, standing, rows)
        meant = await self._named(command, standing, rows, hand)
        if isinstance(meant, Delivery):
            return _outcome(command, OutcomeStatus.FAILED, meant, tries)
        await self._dispatcher.turn(command, hand.wait)
        self._require_due(command, standing, rows)  # its account may have been closed while it waited
        await _require_owned(hand)
        if decode(rows.get(command.command_id)) != standing:
            raise RetryAfter("a status told what became of it", 0)
        if self._expired(command):
            return _outcome(command, OutcomeStatus.EXPIRED, retried=tries)
        return await self._call(meant, _meant(standing), rows, hand)

    async def _named(self, command: Command, standing: Standing | None, rows: Rows, hand: Hand) -> Command | Delivery:
        """The command with the ids of the messages that it names. One that has not begun is waited for a while."""
        try:
            return with_message_ids(command, rows)
        except _Unbegun as unbegun:
            if standing is None:
                await _require_owned(hand)
                await self._note(command, Standing(State.RETRY, 0.0), rows, hand)
            elif self._now() - standing.at >= UNBEGUN_WAIT:
                return Delivery(DeliveryStatus.PERMANENT, error_message=f"{unbegun}, and it did not begin in time")
            raise

    async def _call(self, command: Command, intent: Standing, rows: Rows, hand: Hand) -> Outcome:
        permit = self._permit(command, rows, hand)
        await self._note(command, intent, rows, hand)
        try:
            delivery = await self._dispatcher.call(command, permit)
        except CallWithheld:
            await self._withdraw(command, intent, permit, rows, hand)
            raise
        accepted, doubtful = delivery.status is DeliveryStatus.ACCEPTED, delivery.status is DeliveryStatus.UNKNOWN
        undone = delivery.status is DeliveryStatus.RETRYABLE or (doubtful and command.kind in IMMEDIATE)
        if undone:
            await _require_owned(hand)
            self._close_account(command, delivery, intent.tries + 1, rows)
        if not accepted and _is_received(standing := decode(rows.get(command.command_id))):
            return _received(command, standing)
        if undone:
            await self._try_again(command, intent, delivery, rows, hand)
        elif doubtful:
            raise RetryAfter("no answer came: waiting for its status", ASK_AGAIN)
        return _outcome(command, OutcomeStatus.ACCEPTED if accepted else OutcomeStatus.FAILED, delivery, intent.tries)

    async def _try_again(self, command: Command, intent: Standing, delivery: Delivery, rows: Rows, hand: Hand) -> None:
        """Raises `RetryAfter` for what was not done, unless it was the last try. Its due time outlives the process."""
        delay = self._dispatcher.next_try(command, delivery, intent.tries + 1)
        if delay is not None:
            rows.put(due_key(command.command_id), encode_due(self._now() + delay))
        await self._note(command, intent._replace(state=State.RETRY, tries=intent.tries + 1), rows, hand)
        if delay is not None:
            reason = f"{command.provider}: {delivery.error_code or delivery.error_message}"
            raise RetryAfter(reason, min(delay, LOOK_AGAIN))

    def _close_account(self, command: Command, delivery: Delivery, tries: int, rows: Rows) -> None:
        """Closes an account that is over its limit, for as long as the provider asks. It outlives the process."""
        if seconds := self._dispatcher.close_account(command, delivery, tries):
            key = due_key(command.account_key)  # another call in flight may have closed it for longer
            rows.put(key, encode_due(max(self._now() + seconds, decode_due(rows.get(key)))))

    def _permit(self, command: Command, rows: Rows, hand: Hand) -> Permit:
        """Holds while nobody else can decide about the command and no status has told what became of it.

        A call of several requests (an upload, then the message) may take long: its intent is as fresh as the last time
        that the permit held. What may be done twice needs none.
        """
        if command.kind in IMMEDIATE:
            return Permit()
        held, fresh = clock.now(), max(FRESH, self._window / 2)

        def holds() -> bool:
            nonlocal held
            standing, now = decode(rows.get(command.command_id)), clock.now()
            intended = standing is not None and standing.state is State.INTENT
            if not (intended and hand.owned() and clock.age(held, now) < fresh):
                return False
            held = now
            return True

        return Permit(holds)

    async def _withdraw(self, command: Command, intent: Standing, permit: Permit, rows: Rows, hand: Hand) -> None:
        """Takes back the intent of a call of which nothing was written, once it is sure that the command is ours."""
        await _require_owned(hand)
        if not permit.used and not _is_received(decode(rows.get(command.command_id))):
            await self._note(command, intent._replace(state=State.RETRY), rows, hand)

    async def _note(self, command: Command, step: Standing, rows: Rows, hand: Hand) -> None:
        """Remembers a step before the next one is taken. What may be done twice needs no intent."""
        if command.kind in IMMEDIATE and step.state is State.INTENT:
            return
        rows.put(command.command_id, step._replace(at=self._now()).encode())
        await hand.persist()

    def _require_due(self, command: Command, standing: Standing | None, rows: Rows) -> None:
        """Raises `RetryAfter` before the time that its own last answer named, or one that closed its account."""
        own = rows.get(due_key(command.command_id)) if standing else None
        account = rows.get(due_key(command.account_key)) if command.kind is not CommandKind.READ else None
        left = max(decode_due(own), decode_due(account)) - self._now()
        if left > 0:
            raise RetryAfter("its next try is due later", min(left, LOOK_AGAIN))

    def _expired(self, command: Command) -> bool:
        return command.expires_at is not None and command.expires_at.timestamp() <= self._now()

    def _doubt(self, command: Command, standing: Standing | None) -> Doubt:
        repeatable = command.kind in IMMEDIATE
        heard = self._heard(command) if standing is not None and standing.state is State.INTENT else 0.0
        resends = self._resends if self._dispatcher.resends(command) else 0
        return Doubt(self._window, resends, self._started, heard, repeatable)


async def _require_owned(hand: Hand) -> None:
    """Returns when it is sure that nobody else can have the command; what `wait` raises says that somebody has.

    What a process that was held up for too long writes could hide what its successor has written.
    """
    while not hand.owned():
        await hand.wait(ASK_AGAIN)


def _is_received(standing: Standing | None) -> bool:
    return standing is not None and standing.state is State.RECEIPT


def _received(command: Command, standing: Standing | None) -> Outcome:
    told = Delivery(DeliveryStatus.ACCEPTED, standing.detail or None if standing else None)
    return _outcome(command, OutcomeStatus.ACCEPTED, told)


def _meant(standing: Standing | None) -> Standing:
    """The intent of another call of a command that stands so."""
    if standing is None:
        return Standing(State.INTENT, 0.0)
    return standing._replace(state=State.INTENT, resends=standing.resends + (standing.state is State.INTENT))


class _Unbegun(RetryAfter):
    """A command that another one names has not begun."""

    def __init__(self, command_id: str) -> None:
        super().__init__(f"{command_id} did not become a message", ASK_AGAIN)


def with_message_ids(command: Command, rows: Rows) -> Command | Delivery:
    """The command, speaking of messages by the provider's ids where it speaks of them by commands' ids.

    A command that never became a message can't be answered or changed: that is a failure for good. Raises `RetryAfter`
    for one that is still on its way, or has not begun.
    """
    about = command.body.get("message_id")
    named = [each for each in (command.reply_to, about) if _is_command(each)]
    known = {each: _message_of(each, rows) if each != command.command_id else "" for each in named}
    if lost := next((each for each, message_id in known.items() if not message_id), None):
        return Delivery(DeliveryStatus.PERMANENT, error_message=f"{lost} did not become a message")
    if not known:
        return command
    body = command.body | ({"message_id": known[about]} if about in known else {})
    return command.model_copy(update={"reply_to": known.get(command.reply_to, command.reply_to), "body": body})


def _message_of(command_id: str | None, rows: Rows) -> str:
    """The provider's id of the message that a command became; empty if it became none."""
    standing = decode(rows.get(command_id or ""))
    if standing is None:
        raise _Unbegun(command_id or "")
    if standing.state in (State.INTENT, State.RETRY):
        raise RetryAfter("the message that it is about is still on its way", ASK_AGAIN)
    return standing.detail


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
