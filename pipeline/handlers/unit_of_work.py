"""What a handler does for one event, as one thing: cache writes and sends take effect together, once.

Until the handler is done nothing leaves: writes wait as operations, sends as commands. The commit is one atomic step
that applies the writes and leaves a record of the event with its commands, a transactional outbox. Whoever gets the
event again, because a worker died before its commands were published, finds the record, publishes the recorded
commands, whose ids the messenger knows again, and does not run the handler.

Read marks and typing indicators (`pipeline.topics.commands.EARLY`) are worth something while the answer is still being
made. They go out when the handler asks for them, whatever becomes of the rest: when the event is tried again they are
published again, under the same ids, by which the messenger knows them.

An event for which nothing was written and nothing sent leaves a record too. A hook that reads state may do something
when it runs again behind a later event of its conversation, as a form does with a text that came before its "start".
That record is needed only while the event may be delivered again, so its life is cut once the event's offset is
committed (`expiry`). An event whose hook nobody has written leaves none.

An event that is given up, to become a dead letter, leaves a record of that under the same key, in one step with what
its handler's `process_failure` did (`FailureUnit`). When it comes again it is given up again, and its hook does not
run: it could go through behind later events. What was re-driven on purpose is handled anew, and its record takes the
place of that one.

What this can't cover is what a handler does elsewhere, in a database of its own or over HTTP: when a worker dies
between that and the commit, it is done again. Give it the event's id as its idempotency key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from pydantic import BaseModel, TypeAdapter

from pipeline.errors import Conflict, GivenUp, OutsideEvent, error_type
from pipeline.state.buffer import FINISHED, BufferedRows
from pipeline.state.keys import unit_key
from pipeline.state.store import Store, UnitRecord
from pipeline.topics.commands import EARLY, Command, CommandKind

RETRY_SPAN: Final = 7 * 86400
"""Seconds for which a record is kept: as long as platforms deliver a webhook again.

A record with a read mark and a reply takes 850 bytes of Redis: 0.5 GB for each event a second over the whole span.
Where deduplication before the handlers is sure to hold, a day is plenty.
"""
GRACE_PERIOD: Final = 900
"""Seconds for which the record of an event without an effect is kept once its offset is committed.

It is not over with the commit: an intake that dies between publishing and marking its table publishes the event again,
behind later ones, when it is back; and a worker that was frozen in the midst of the event may go on with it.
"""
NO_EFFECT: Final = b"[ ]"
"""The content of such a record. The space tells it from the record of an event that only wrote.

It is a list without commands for any version that does not know of the difference.
"""

Publish = Callable[[Command], Awaitable[None]]
"""Publishes one command now; returns when it is acknowledged."""

_COMMANDS: Final = TypeAdapter(list[Command])
_LONGEST_MESSAGE: Final = 500


class _Failure(BaseModel):
    """The record of an event that was given up: a JSON object, where others are lists."""

    error_type: str
    message: str
    effectless: bool
    commands: list[Command]

    @classmethod
    def of(cls, content: bytes) -> _Failure | None:
        """None for the record of an event that was handled."""
        return cls.model_validate_json(content) if content.startswith(b"{") else None


class UnitOfWork:
    """One event's effects.

    Attributes:
        rows: the rows that the event's caches read and write.
        commands: what was sent so far and waits for the commit, in order.
        cause: whence the ids of its commands are made: the event's id.
        tenant_id, key: whose its record is, and where.
        effectless: whether its record, found or made, says that it had no effect.

    Args:
        early: how a read mark goes out at once. Without it, read marks wait for the commit too.
        redriven: whether the event is handled anew where it was given up before.
    """

    def __init__(
        self,
        store: Store,
        tenant_id: str,
        event_id: str,
        ttl: int = RETRY_SPAN,
        early: Publish | None = None,
        *,
        redriven: bool = False,
    ) -> None:
        self.rows = BufferedRows(store)
        self.commands: list[Command] = []
        self.cause = event_id
        self.tenant_id = tenant_id
        self.key = unit_key(tenant_id, event_id)
        self.effectless = False
        self._store = store
        self._ttl = ttl
        self._early = early
        self._redriven = redriven
        self._replaces = b""
        self._gone: list[asyncio.Future[None]] = []

    @property
    def closed(self) -> bool:
        return self.rows.closed

    def step(self, kind: CommandKind) -> int:
        """The number of the next command: from 0, the same each time the event is handled.

        What goes out early counts apart, downwards from -1. It is gone though the handling may fail, and if another
        handling sent something else under its id, the messenger would take that for done.
        """
        return -1 - len(self._gone) if self._goes_early(kind) else len(self.commands)

    async def recorded(self) -> list[Command] | None:
        """The commands of this event if it was finished before; None if it is to be handled.

        Raises `GivenUp` if it was given up before.
        """
        content = await self._store.recorded(self.key)
        if content is None:
            return None
        if self._redriven and _Failure.of(content):
            self._replaces = content
            return None
        return self._known(content)

    def send(self, command: Command) -> None:
        if self.closed:
            raise OutsideEvent(FINISHED)
        if self._early is not None and self._goes_early(command.kind):
            self._gone.append(asyncio.ensure_future(self._early(command)))
        else:
            self.commands.append(command)

    async def early_ones(self) -> None:
        """Returns when what went out early is acknowledged. Raises what its publishing raised."""
        await asyncio.gather(*self._gone)

    async def commit(self) -> list[Command]:
        """Makes the effects real and returns the commands to be published.

        Where another worker finished the event meanwhile nothing is applied, and its commands are returned. Raises
        `Unavailable` while the store is away, or if it was at any time since the event began; `Conflict` where a
        counter or a list became something else; `GivenUp` where another worker gave the event up meanwhile.
        """
        self.close()
        if self.rows.failure:
            raise self.rows.failure
        changes = self.rows.changes
        self.effectless = not (changes or self.commands)
        record = UnitRecord(self.key, self._content(), self._ttl, self._replaces)
        committed = await self._store.commit(changes, record)
        return self.commands if committed.recorded is None else self._known(committed.recorded)

    def _content(self) -> bytes:
        return NO_EFFECT if self.effectless else _COMMANDS.dump_json(self.commands, exclude_none=True)

    def _known(self, content: bytes) -> list[Command]:
        """The commands of a record that was there already."""
        if failure := _Failure.of(content):
            if self._redriven:
                raise Conflict("another worker gave the event up meanwhile: it is handled anew")
            raise GivenUp(failure.error_type, failure.message)
        self.effectless = content == NO_EFFECT
        return [] if self.effectless else _COMMANDS.validate_json(content)

    def _goes_early(self, kind: CommandKind) -> bool:
        return self._early is not None and kind in EARLY

    def close(self) -> None:
        """From here on nothing can be added. Without a commit, nothing ever happened."""
        self.rows.closed = True


class FailureUnit(UnitOfWork):
    """What is done about an event that is given up, and the record that it was. Its commands have ids of their own.

    Where there is such a record already its commands are returned. So are those of an event that another worker handled
    meanwhile: it has had its effect.

    Args:
        error: why it is given up.
    """

    def __init__(self, store: Store, tenant_id: str, event_id: str, error: Exception, ttl: int = RETRY_SPAN) -> None:
        super().__init__(store, tenant_id, event_id, ttl)
        self.cause = f"{event_id}:failure"
        self._error = error

    def _content(self) -> bytes:
        failure = _Failure(
            error_type=error_type(self._error),
            message=str(self._error)[:_LONGEST_MESSAGE],
            effectless=self.effectless,
            commands=self.commands,
        )
        return failure.model_dump_json(exclude_none=True).encode()

    def _known(self, content: bytes) -> list[Command]:
        failure = _Failure.of(content)
        if failure is None:
            return super()._known(content)
        self.effectless = failure.effectless
        return failure.commands
