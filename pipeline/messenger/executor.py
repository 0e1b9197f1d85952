"""Execute each command exactly once, even if processes die: its state decides, and an intent precedes every call."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from pipeline import clock
from pipeline.errors import CallWithheld, KeyUnavailable, NewerRecord, RetryAfter
from pipeline.messenger.call import ProviderCall
from pipeline.messenger.command_state import (
    CommandPhase,
    CommandState,
    InDoubtPolicy,
    NextAction,
    decode_due,
    decode_state,
    due_key,
    encode_due,
    is_intent,
    may_be_done,
    next_action,
)
from pipeline.messenger.connections import WriteGuard
from pipeline.messenger.controls import NO_CONTROLS, Controls, Pause
from pipeline.messenger.dispatch import Dispatcher
from pipeline.messenger.lifetimes import Lifetimes, unix_seconds
from pipeline.messenger.permits import REVIEW_INTERVAL
from pipeline.messenger.refusals import Check, Refusal
from pipeline.metrics import EXPIRED, REFUSED
from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.topics.commands import IMMEDIATE, PREFIX, Command, CommandKind
from pipeline.topics.outcomes import Outcome, OutcomeStatus
from pipeline.topics.records import ConsumedRecord

MAX_RESENDS = 3
"""Maximum number of repeated calls of a command in doubt."""
POLL_INTERVAL = 0.25
"""Seconds between two checks for the status of a command in doubt, or for the owner of the partition."""
REFERENCE_TIMEOUT = 300.0
"""Seconds that a command waits for another command that it names and that has not started."""
FRESH = 60.0
"""Seconds by which processed webhooks may be behind when a send is refused for what its recipient did."""
MIN_INTENT_LIFETIME = 20.0
"""Minimum seconds that an intent is valid: longer than it may take to connect."""


class CommandTable(Protocol):
    """The messenger's table: the state of each command by its id."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, value: bytes) -> None: ...


class ExecutionContext(Protocol):
    """The flow that processes the command's record."""

    @property
    def record(self) -> ConsumedRecord: ...

    async def wait(self, seconds: float) -> None:
        """Sleep. Raises if another worker owns the command by then."""

    async def persist(self) -> None:
        """Make the table's rows durable now."""

    def owned(self) -> bool:
        """Return True if no other worker can own the command."""


class CommandExecutor:
    """Decides about commands and calls providers through the dispatcher.

    Args:
        reconcile_window: seconds in which the status of a command in doubt must arrive.
        watermark: returns the unix time before which all status webhooks about a command have been processed. The
            window is measured against it and not against the wall clock, because a consumer lag would let the window
            end before the statuses are read.
        max_resends: maximum number of repeated calls of a command in doubt. Each may be a duplicate, and without a
            maximum a provider that never answers would be called for ever.
        now: returns unix seconds, which are compared with times that other processes wrote.
        lifetimes: say when a command expires; None: by the defaults of its kind.
        controls: what operators have decided about accounts.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        reconcile_window: float,
        watermark: Callable[[Command], float] | None = None,
        max_resends: int = MAX_RESENDS,
        now: Callable[[], float] = time.time,
        lifetimes: Lifetimes | None = None,
        controls: Controls = NO_CONTROLS,
    ) -> None:
        self._dispatcher = dispatcher
        self._window = reconcile_window
        self._max_resends = max_resends
        self._watermark = watermark or (lambda _: now())
        self._now = now
        self._lifetimes = lifetimes or Lifetimes()
        self._controls = controls
        self._started = now()

    async def execute(
        self, command: Command, table: CommandTable, context: ExecutionContext, check: Check | None = None
    ) -> Outcome | None:
        """Return the outcome; None if the command has one already. Raises `RetryAfter` to be called again later.

        It is `KeyUnavailable` if no command of the account can be sent by then. `check` may refuse the call.
        """
        state = decode_state(table.get(command.command_id))
        match next_action(state, self._in_doubt_policy(command, state, context)):
            case NextAction.DONE:
                return None
            case NextAction.WAIT:
                raise RetryAfter("it may have been sent: waiting for its status", POLL_INTERVAL)
            case NextAction.RECEIVED:
                outcome = _received_outcome(command, state)
            case NextAction.GIVE_UP:
                outcome = _outcome(command, OutcomeStatus.UNKNOWN)
            case NextAction.CALL:
                outcome = await self._send(command, state, table, context, check)
        more = state.more if state else ()
        closed = CommandState(CommandPhase.CLOSED, self._now(), message_id=outcome.message_id or "", more=more)
        table.put(command.command_id, closed.encode())
        return outcome

    async def _send(
        self,
        command: Command,
        state: CommandState | None,
        table: CommandTable,
        context: ExecutionContext,
        check: Check | None = None,
    ) -> Outcome:
        """Return the outcome once the command is due and its account has a permit and a connection slot."""
        if not command.kind.known:
            raise NewerRecord("a command of a kind that this worker does not know")
        failed_attempts = state.failed_attempts if state else 0
        deadline = self._lifetimes.deadline(command, context.record, self._now())
        if deadline <= self._now():
            return _expired_outcome(command, state)
        if refusal := self._refusal(command, state, check):
            return _refused_outcome(command, refusal, failed_attempts)
        self._require_due(command, state, table)
        resolved = await self._resolve_references(command, state, table, context)
        if isinstance(resolved, SendAttempt):
            return _outcome(command, OutcomeStatus.FAILED, resolved, failed_attempts)
        with await self._dispatcher.begin(command, context.wait, table.get, deadline - self._now()) as call:
            self._require_due(command, state, table)  # its account may have been paused while it waited
            await _await_ownership(context)
            if decode_state(table.get(command.command_id)) != state:
                raise RetryAfter("a status webhook changed its state", 0)
            if deadline <= self._now():
                return _expired_outcome(command, state)
            if refusal := self._refusal(command, state, check):
                return _refused_outcome(command, refusal, failed_attempts)
            return await self._call(resolved, _new_intent(state), table, context, call)

    def _refusal(self, command: Command, state: CommandState | None, check: Check | None) -> Refusal | None:
        """Return why the command must not be called; None if it may be, or may have been called before.

        Raises `RetryAfter` while its recipient may have done something that is on its way here. If that lasts, the
        command is not refused.
        """
        now = self._now()
        refusal = check(now) if check and not may_be_done(state) else None
        if refusal is None:
            return None
        created = min(unix_seconds(command.created_at), now)
        if self._watermark(command) >= max(created, now - FRESH):
            return refusal
        if now - created < FRESH:
            raise RetryAfter("what its recipient did may be on its way here", POLL_INTERVAL)
        return None

    async def _resolve_references(
        self, command: Command, state: CommandState | None, table: CommandTable, context: ExecutionContext
    ) -> Command | SendAttempt:
        """Return the command with the provider's ids of the messages that it names; a failure if one is missing."""
        try:
            return resolve_message_ids(command, table)
        except _ReferenceNotStarted as not_started:
            if state is None:
                await _await_ownership(context)
                await self._persist_step(command, CommandState(CommandPhase.RETRY, 0.0), table, context)
            elif self._now() - state.updated_at >= REFERENCE_TIMEOUT:
                text = f"{not_started}, and it did not begin in time"
                return SendAttempt(AttemptStatus.PERMANENT, error_message=text)
            raise

    async def _call(
        self, command: Command, intent: CommandState, table: CommandTable, context: ExecutionContext, call: ProviderCall
    ) -> Outcome:
        guard, limits = self._write_guard(command, table, context), self._dispatcher.spend(command, table.get)
        for key, row in limits.items():
            table.put(key, row)
        await self._persist_step(command, intent, table, context)
        if command.kind not in IMMEDIATE:  # the rows of these are durable with their outcome
            self._dispatcher.spent(command, limits)
        try:
            await self._dispatcher.renew_permit(command, call, context.wait)
            attempt = await self._dispatcher.attempt(command, guard, call)
        except CallWithheld:
            await self._withdraw_intent(command, intent, guard, table, context)
            raise
        accepted, in_doubt = attempt.status is AttemptStatus.ACCEPTED, attempt.status is AttemptStatus.UNKNOWN
        not_done = attempt.status is AttemptStatus.RETRYABLE or (in_doubt and command.kind in IMMEDIATE)
        if not_done:
            await _await_ownership(context)
        if not accepted and self._dispatcher.pauses(command, attempt):
            await self._pause(command, attempt, intent.failed_attempts + 1, table, context)
        if not accepted and _is_received(state := decode_state(table.get(command.command_id))):
            return _received_outcome(command, state)
        if not_done:
            await self._schedule_retry(command, intent, attempt, table, context)
        elif in_doubt:
            raise RetryAfter("no answer came: waiting for its status", POLL_INTERVAL)
        status = OutcomeStatus.ACCEPTED if accepted else OutcomeStatus.FAILED
        return _outcome(command, status, attempt, intent.failed_attempts)

    async def _schedule_retry(
        self,
        command: Command,
        intent: CommandState,
        attempt: SendAttempt,
        table: CommandTable,
        context: ExecutionContext,
    ) -> None:
        """Persist that the command was not carried out. Raises `RetryAfter` unless it was the last attempt."""
        failed_attempts = intent.failed_attempts + 1
        delay = self._dispatcher.retry_delay(command, attempt, failed_attempts)
        if delay is not None:
            table.put(due_key(command.command_id), encode_due(self._now() + delay))
        retry = intent._replace(phase=CommandPhase.RETRY, failed_attempts=failed_attempts)
        await self._persist_step(command, retry, table, context)
        if delay is not None:
            reason = f"{command.provider}: {attempt.error_code or attempt.error_message}"
            held = max(self._account_pause(command, table), self._dispatcher.unavailable_for(command))
            raise _later(reason, delay) if held <= 0 else _account_later(reason, held)

    async def _pause(
        self,
        command: Command,
        attempt: SendAttempt,
        failed_attempts: int,
        table: CommandTable,
        context: ExecutionContext,
    ) -> None:
        """Pause the account or the pair, and remember it across restarts."""
        await _await_ownership(context)
        seconds, rows = self._dispatcher.pause(command, attempt, failed_attempts)
        for key, row in rows.items():
            table.put(key, row)
        if seconds:
            key = due_key(command.account_key)  # another call in flight may have paused it for longer
            table.put(key, encode_due(max(self._now() + seconds, decode_due(table.get(key)))))

    def _write_guard(self, command: Command, table: CommandTable, context: ExecutionContext) -> WriteGuard:
        """Return a guard that is valid while this worker owns the command and its phase is still INTENT.

        A call of several requests (an upload, then the message) may take long, so each successful check renews the
        intent. A command that may be carried out twice needs no more than an account that is not paused. A pause stops
        no call whose first request was written.
        """
        if command.kind in IMMEDIATE:
            return WriteGuard(lambda: self._stop(command) is None)
        renewed, lifetime, begun = clock.now(), max(MIN_INTENT_LIFETIME, self._window / 2), False

        def is_valid() -> bool:
            nonlocal renewed, begun
            now, intended = clock.now(), is_intent(table.get(command.command_id))
            if not (intended and context.owned() and clock.age(renewed, now) < lifetime):
                return False
            if not begun and self._stop(command) is not None:
                return False
            renewed, begun = now, True
            return True

        return WriteGuard(is_valid)

    async def _withdraw_intent(
        self,
        command: Command,
        intent: CommandState,
        guard: WriteGuard,
        table: CommandTable,
        context: ExecutionContext,
    ) -> None:
        """Withdraw the intent of a call if no request was written and this worker owns the command."""
        await _await_ownership(context)
        if not guard.was_written and not _is_received(decode_state(table.get(command.command_id))):
            await self._persist_step(command, intent._replace(phase=CommandPhase.RETRY), table, context)

    async def _persist_step(
        self, command: Command, step: CommandState, table: CommandTable, context: ExecutionContext
    ) -> None:
        """Persist a state before the next step. A command that may be carried out twice needs no intent."""
        if command.kind in IMMEDIATE and step.phase is CommandPhase.INTENT:
            return
        table.put(command.command_id, step._replace(updated_at=self._now()).encode())
        await context.persist()

    def _require_due(self, command: Command, state: CommandState | None, table: CommandTable) -> None:
        """Raise `RetryAfter` before the due time of the command, `KeyUnavailable` while its account is paused."""
        if (stop := self._stop(command)) is not None:
            raise _paused(stop, self._now())
        if (pause := self._account_pause(command, table)) > 0:
            raise _account_later("its account is paused", pause)
        left = decode_due(table.get(due_key(command.command_id))) - self._now() if state else 0.0
        if left > 0:
            raise _later("its next try is due later", left)

    def _stop(self, command: Command) -> Pause | None:
        """Return the pause that an operator has ordered for the command's account; None: it may send."""
        stop = self._controls.pauses.get((command.provider, command.account))
        return stop if stop is not None and self._now() < stop.until else None

    def _account_pause(self, command: Command, table: CommandTable) -> float:
        """Return the seconds for which the account is paused; not above 0 if it is not. It may send read marks."""
        row = table.get(due_key(command.account_key)) if command.kind is not CommandKind.READ else None
        return decode_due(row) - self._now() if row else 0.0

    def _in_doubt_policy(
        self, command: Command, state: CommandState | None, context: ExecutionContext
    ) -> InDoubtPolicy:
        repeatable = command.kind in IMMEDIATE
        policy = InDoubtPolicy(self._window, self._max_resends, self._started, 0.0, repeatable)
        if state is None or state.phase is not CommandPhase.INTENT:
            return policy
        if not self._dispatcher.may_resend(command):
            policy = policy._replace(max_resends=0)
        now = self._now()
        late = now - self._lifetimes.deadline(command, context.record, now)
        return policy._replace(watermark=self._watermark(command), late=late)


def _later(reason: str, delay: float) -> RetryAfter:
    return RetryAfter(reason, min(delay, REVIEW_INTERVAL))


def _account_later(reason: str, delay: float) -> KeyUnavailable:
    return KeyUnavailable(reason, min(delay, REVIEW_INTERVAL), whole_group=True, held_by="provider", lasts=delay)


def _paused(stop: Pause, now: float) -> KeyUnavailable:
    left = stop.left(now, math.inf)
    again = min(left, REVIEW_INTERVAL)
    return KeyUnavailable(stop.cause, again, whole_group=True, probing=False, held_by="operator", lasts=left)


async def _await_ownership(context: ExecutionContext) -> None:
    """Return once no other worker can own the command. `wait` raises if another worker owns it.

    Without this, a process that was blocked for too long could overwrite the rows of its successor.
    """
    while not context.owned():
        await context.wait(POLL_INTERVAL)


def _is_received(state: CommandState | None) -> bool:
    return state is not None and state.phase is CommandPhase.RECEIPT


def _received_outcome(command: Command, state: CommandState | None) -> Outcome:
    received = SendAttempt(AttemptStatus.ACCEPTED, state.message_id or None if state else None)
    return _outcome(command, OutcomeStatus.ACCEPTED, received).model_copy(update={"by_status": True})


def _refused_outcome(command: Command, refusal: Refusal, retried: int) -> Outcome:
    REFUSED.labels(command.tenant_id, command.provider, refusal.reason.value).inc()
    attempt = SendAttempt(AttemptStatus.PERMANENT, error_message=refusal.text)
    return _outcome(command, OutcomeStatus.FAILED, attempt, retried).model_copy(update={"reason": refusal.reason.value})


def _expired_outcome(command: Command, state: CommandState | None) -> Outcome:
    """Return the outcome of a command that is not called any more: `unknown` if it may have been carried out."""
    doubtful = may_be_done(state) and command.kind not in IMMEDIATE
    status = OutcomeStatus.UNKNOWN if doubtful else OutcomeStatus.EXPIRED
    if not doubtful:
        EXPIRED.labels(command.tenant_id, command.provider).inc()
    return _outcome(command, status, retried=state.failed_attempts if state else 0)


def _new_intent(state: CommandState | None) -> CommandState:
    """Return the intent of another call of a command in this state."""
    if state is None:
        return CommandState(CommandPhase.INTENT, 0.0)
    resends = state.resends + (state.phase is CommandPhase.INTENT)
    return state._replace(phase=CommandPhase.INTENT, resends=resends)


class _ReferenceNotStarted(RetryAfter):
    """A command that another one names has not started."""

    def __init__(self, command_id: str) -> None:
        super().__init__(f"{command_id} did not become a message", POLL_INTERVAL)


def resolve_message_ids(command: Command, table: CommandTable) -> Command | SendAttempt:
    """Return the command with the provider's message ids in place of command ids.

    If a named command never became a message, it can't be answered or changed: the result is a permanent failure.
    Raises `RetryAfter` if a named command is still being sent or has not started.
    """
    about = command.body.get("message_id")
    named = [each for each in (command.reply_to, about) if _is_command(each)]
    known = {each: _provider_message_id(each, table) if each != command.command_id else "" for each in named}
    if lost := next((each for each, message_id in known.items() if not message_id), None):
        return SendAttempt(AttemptStatus.PERMANENT, error_message=f"{lost} did not become a message")
    if not known:
        return command
    body = command.body | ({"message_id": known[about]} if about in known else {})
    return command.model_copy(update={"reply_to": known.get(command.reply_to, command.reply_to), "body": body})


def _provider_message_id(command_id: str | None, table: CommandTable) -> str:
    """Return the provider's id of the message that a command became; empty if it became none."""
    state = decode_state(table.get(command_id or ""))
    if state is None:
        raise _ReferenceNotStarted(command_id or "")
    if state.phase in (CommandPhase.INTENT, CommandPhase.RETRY):
        raise RetryAfter("the message that it is about is still on its way", POLL_INTERVAL)
    return state.message_id


def _is_command(message_id: object) -> bool:
    return isinstance(message_id, str) and message_id.startswith(PREFIX)


def _outcome(command: Command, status: OutcomeStatus, attempt: SendAttempt | None = None, retried: int = 0) -> Outcome:
    return Outcome(
        command_id=command.command_id,
        event_id=command.event_id,
        tenant_id=command.tenant_id,
        provider=command.provider,
        account=command.account,
        recipient=command.recipient,
        status=status,
        message_id=attempt.message_id if attempt else None,
        error_code=attempt.error_code if attempt else None,
        error_message=attempt.error_message if attempt else None,
        retried=retried,
        at=datetime.now(UTC),
        campaign=command.campaign,
        tags=command.tags,
        traceparent=command.traceparent,
    )
