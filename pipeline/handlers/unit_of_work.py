"""The unit of work of one event: its cache writes and sends take effect together, once.

Until the hook returns nothing takes effect: writes wait as operations, sends as commands. The commit is one atomic step
that applies the writes and stores a record of the event with its commands: a transactional outbox. If a worker dies
before the commands are published, the next one to get the event finds the record, publishes the recorded commands, and
does not run the hook. The messenger recognises their ids.

Read marks and typing indicators (`pipeline.topics.commands.IMMEDIATE`) are useful only while the answer is being made.
They are published when the hook asks for them, even if the hook then fails. When the event is retried they are
published again under the same ids, which the messenger recognises.

An event without writes and sends leaves a record too. A hook that reads state could have an effect if it ran again
behind a later event of its conversation: a form could take a text that came before its "start". This record is needed
only while the event may be delivered again, so it expires soon after the event's offset is committed (`expiry`). An
event whose hook is not implemented leaves no record.

An event that becomes a dead letter leaves a record of that under the same key, in one step with the effects of the
handler's `process_failure` (`FailureUnit`). If it is delivered again it is given up again, without running its hook: it
could succeed behind later events. If it is re-driven on purpose it is handled, and its new record replaces that one.

A unit of work does not cover what a hook does elsewhere, in its own database or over HTTP: if a worker dies between
that and the commit, it is done again. Pass the event's id there as the idempotency key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from pydantic import BaseModel, TypeAdapter

from pipeline.errors import Conflict, GivenUp, NoActiveEvent, error_type
from pipeline.handlers.results import RefusedSend
from pipeline.state.buffer import FINISHED, BufferedRows
from pipeline.state.keys import unit_key
from pipeline.state.store import Store, UnitRecord
from pipeline.topics.commands import IMMEDIATE, Command, CommandKind

RETRY_SPAN: Final = 7 * 86400
"""Seconds for which a record is kept: platforms redeliver a webhook for that long.

A record with a read mark and a reply takes 850 bytes of Redis: 0.5 GB for each event a second over the whole span. One
day is enough if you rely on the deduplication before the handlers.
"""
GRACE_PERIOD: Final = 900
"""Seconds for which the record of an event without an effect is kept after the commit of its offset.

The event can still be handled again after the commit: an intake that died between publishing and writing its table
publishes the event again, behind later ones; and a worker that was frozen while it handled the event may resume.
"""
NO_EFFECT: Final = b"[ ]"
"""The content of such a record. The space distinguishes it from the record of an event that only wrote.

Older versions, which do not know the difference, read it as a list without commands.
"""

Publish = Callable[[Command], Awaitable[None]]
"""Publishes one command now and returns when it is acknowledged."""

_COMMANDS: Final = TypeAdapter(list[Command])
_MAX_MESSAGE_LENGTH: Final = 500


class _Failure(BaseModel):
    """The record of an event that was given up. It is a JSON object; the records of handled events are lists."""

    error_type: str
    message: str
    effectless: bool
    commands: list[Command]

    @classmethod
    def of(cls, content: bytes) -> _Failure | None:
        """Parse a record. Return None for the record of an event that was handled."""
        return cls.model_validate_json(content) if content.startswith(b"{") else None


class UnitOfWork:
    """The effects of one event.

    Attributes:
        rows: the rows that the event's caches read and write.
        commands: the sends that wait for the commit, in order.
        committed: the commands of the event's record, once it was found (`recorded`) or stored (`commit`).
        cause: the event id from which command ids are derived.
        tenant_id: the owner of the record.
        refused: the results of sends that were refused.
        key: the record's full name in the store.
        effectless: True if the record, found or stored, says that the event had no effect.

    Args:
        store: holds rows and records.
        tenant_id: the event's tenant.
        event_id: the event's id.
        ttl: seconds for which the record is kept.
        publish_immediate: publishes read marks and typing indicators at once. Without it they wait for the commit.
        redriven: True if the event is to be handled even if it was given up before.
    """

    refused: Sequence[RefusedSend] = ()

    def __init__(
        self,
        store: Store,
        tenant_id: str,
        event_id: str,
        ttl: int = RETRY_SPAN,
        publish_immediate: Publish | None = None,
        *,
        redriven: bool = False,
    ) -> None:
        self.rows = BufferedRows(store)
        self.commands: list[Command] = []
        self.committed: list[Command] = []
        self.cause = event_id
        self.tenant_id = tenant_id
        self.key = unit_key(tenant_id, event_id)
        self.effectless = False
        self._store = store
        self._ttl = ttl
        self._publish_immediate = publish_immediate
        self._redriven = redriven
        self._replaces = b""
        self._sent_immediately: list[asyncio.Future[None]] = []

    @property
    def closed(self) -> bool:
        """Return True once nothing can be added any more."""
        return self.rows.closed

    def next_index(self, kind: CommandKind) -> int:
        """Return the index of the next command: from 0, the same each time the event is handled.

        Immediate commands are counted separately, downwards from -1. They are published even if the hook fails later;
        if the next attempt sent something else under such an id, the messenger would take it for done.
        """
        return -1 - len(self._sent_immediately) if self._is_immediate(kind) else len(self.commands)

    async def recorded(self) -> list[Command] | None:
        """Return the commands of this event if it was finished before; None if it is to be handled.

        Raises `GivenUp` if it was given up before.
        """
        content = await self._store.recorded(self.key)
        if content is None:
            return None
        if self._redriven and _Failure.of(content):
            self._replaces = content
            return None
        return self._resolve(content)

    def send(self, command: Command) -> None:
        """Add a command, or publish it if it is immediate. Raises `NoActiveEvent` once the unit is closed."""
        if self.closed:
            raise NoActiveEvent(FINISHED)
        if self._publish_immediate is not None and self._is_immediate(command.kind):
            self._sent_immediately.append(asyncio.ensure_future(self._publish_immediate(command)))
        else:
            self.commands.append(command)

    async def flush_immediate(self) -> None:
        """Return when all immediate commands are acknowledged. Raises what their publishing raised."""
        if self._sent_immediately:
            await asyncio.gather(*self._sent_immediately)

    async def commit(self) -> list[Command]:
        """Apply the writes, store the record, and return the commands to publish.

        If another worker finished the event meanwhile nothing is applied, and the recorded commands are returned.
        Raises `Unavailable` if the store is away, or was at any time since the event began; `Conflict` if a row that
        the hook read and wrote has changed, or a counter or list became something else; `GivenUp` if another worker
        gave the event up meanwhile.
        """
        self.close()
        if self.rows.failure:
            raise self.rows.failure
        changes = self.rows.changes
        self.effectless = not (changes or self.commands)
        record = UnitRecord(self.key, self._content(), self._ttl, self._replaces)
        committed = await self._store.commit(changes, record)
        if committed.recorded is None:
            self.committed = self.commands
            return self.commands
        return self._resolve(committed.recorded)

    def _content(self) -> bytes:
        return NO_EFFECT if self.effectless else _COMMANDS.dump_json(self.commands, exclude_none=True)

    def _resolve(self, content: bytes) -> list[Command]:
        """Return the commands of a record that exists already."""
        if failure := _Failure.of(content):
            if self._redriven:
                raise Conflict("another worker gave the event up meanwhile: it is handled anew")
            raise GivenUp(failure.error_type, failure.message)
        self.effectless = content == NO_EFFECT
        self.committed = [] if self.effectless else _COMMANDS.validate_json(content)
        return self.committed

    def _is_immediate(self, kind: CommandKind) -> bool:
        return self._publish_immediate is not None and kind in IMMEDIATE

    def close(self) -> None:
        """Close the unit: nothing can be added any more. Without a commit it has no effect."""
        self.rows.closed = True


class FailureUnit(UnitOfWork):
    """The unit of work of `process_failure`, whose record says that the event was given up.

    Its commands have ids of their own. If there is such a record already its commands are returned. So are those of an
    event that another worker handled meanwhile: that event has had its effect.

    Args:
        store: holds rows and records.
        tenant_id: the event's tenant.
        event_id: the event's id.
        error: the reason for giving up.
        ttl: seconds for which the record is kept.
    """

    def __init__(self, store: Store, tenant_id: str, event_id: str, error: Exception, ttl: int = RETRY_SPAN) -> None:
        super().__init__(store, tenant_id, event_id, ttl)
        self.cause = f"{event_id}:failure"
        self._error = error

    def _content(self) -> bytes:
        failure = _Failure(
            error_type=error_type(self._error),
            message=str(self._error)[:_MAX_MESSAGE_LENGTH],
            effectless=self.effectless,
            commands=self.commands,
        )
        return failure.model_dump_json(exclude_none=True).encode()

    def _resolve(self, content: bytes) -> list[Command]:
        failure = _Failure.of(content)
        if failure is None:
            return super()._resolve(content)
        self.effectless = failure.effectless
        self.committed = failure.commands
        return self.committed
