"""The context managers around a hook: idempotence, the current event, acknowledgement, timeout.

They are classes where they are asynchronous: an async generator costs several microseconds for each event, because the
event loop keeps track of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final

from opentelemetry.trace import SpanKind
from structlog.contextvars import bound_contextvars

from pipeline import tracing
from pipeline.errors import HandlerTimeout
from pipeline.handlers.base import EventHandler
from pipeline.handlers.context import activate
from pipeline.handlers.results import RefusedSend
from pipeline.handlers.services import Services
from pipeline.handlers.unit_of_work import UnitOfWork
from pipeline.line_limit import LineLimit
from pipeline.logging import get_logger
from pipeline.topics.events import EventBase

_log = get_logger(__name__)
_limit: Final = LineLimit()


class Idempotent:
    """Gives True if the event has no record yet, and commits its unit at the end; else gives False.

    Either way `unit.committed` has the commands to publish afterwards. After an exception nothing is committed.
    """

    __slots__ = ("_fresh", "_unit")

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit
        self._fresh = False

    async def __aenter__(self) -> bool:
        self._fresh = await self._unit.recorded() is None
        return self._fresh

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is None and self._fresh:
            await self._unit.commit()


@contextmanager
def active(event: EventBase, unit: UnitOfWork, services: Services, stage: str = "handle") -> Iterator[None]:
    """Make the event the current one for messenger, caches, trace and log lines."""
    names = {"event_id": event.event_id, "tenant": event.tenant_id, "conversation": event.conversation}
    ids = {"tenant": event.tenant_id, "event_id": event.event_id, "event_type": event.event_type}
    span = tracing.span(stage, event.traceparent, SpanKind.INTERNAL, ids)
    with span, activate(event, unit, services), bound_contextvars(stage=stage, **names):
        try:
            yield
        finally:
            if unit.refused:
                _tell_unread(unit.refused)


def _tell_unread(refused: Iterable[RefusedSend]) -> None:
    """Log the sends that were refused although the hook goes on as if they were queued."""
    for result in refused:
        if (unread := result.take_unread()) is not None and _limit.admit((result.called_from, unread)) is not None:
            _log.warning(
                "send_refusal_unread",
                kind=result.kind,
                code=unread[0],
                reason=unread[1],
                raised_at=result.called_from,
                detail="nothing was sent, and the hook did not look at the result: check `success`",
            )


class Acknowledged:
    """Waits at the end, also after an exception, until all immediate commands of the unit are acknowledged."""

    __slots__ = ("_unit",)

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit

    async def __aenter__(self) -> None:
        """Nothing is published yet."""

    async def __aexit__(self, *_: object) -> None:
        await self._unit.flush_immediate()


class HookTimeout:
    """Cancels the hook once its time is over, and raises `HandlerTimeout` in place of its result.

    Args:
        handler: sets the time, if its class has a `timeout`.
        default: the time for all others, in seconds.
    """

    __slots__ = ("_deadline", "_handler", "_seconds")

    def __init__(self, handler: EventHandler, default: float) -> None:
        self._handler = handler
        self._seconds = handler.timeout or default
        self._deadline = asyncio.timeout(self._seconds)

    async def __aenter__(self) -> None:
        await self._deadline.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._deadline.__aexit__(kind, error, trace)
        except TimeoutError:
            kind = TimeoutError
        if self._deadline.expired() and (kind is None or issubclass(kind, TimeoutError)):
            raise HandlerTimeout(
                f"{type(self._handler).__name__} took longer than {self._seconds:g} s: make it quicker or raise its "
                "timeout or PIPELINE_HANDLER_TIMEOUT"
            ) from None
