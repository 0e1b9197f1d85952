"""Runs handlers: one event in, its commands out, its effects once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import partial
from typing import Final

from opentelemetry.trace import SpanKind
from structlog.contextvars import bound_contextvars

from pipeline import tracing
from pipeline.errors import ConfigurationError, Conflict, HandlerTimeout, Unavailable, UnknownTenant
from pipeline.handlers.api.paths import carry_out
from pipeline.handlers.base import EventHandler
from pipeline.handlers.context import hold
from pipeline.handlers.expiry import RecordExpiry
from pipeline.handlers.loading import load_handler
from pipeline.handlers.media.gateway import MediaGateway
from pipeline.handlers.media.library import MediaLibrary
from pipeline.handlers.services import Abilities, Services
from pipeline.handlers.turns import Turns
from pipeline.handlers.unit_of_work import GRACE_PERIOD, RETRY_SPAN, FailureUnit, Publish, UnitOfWork
from pipeline.logging import get_logger
from pipeline.metrics import HANDLED, STALE
from pipeline.settings import Settings
from pipeline.state import Store, open_store
from pipeline.tenants import Tenants
from pipeline.topics.commands import Command
from pipeline.topics.events import APIMessageEvent, EventBase

_log = get_logger(__name__)
_PAUSES: Final = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Seconds, each at most, before an event that met a conflict is handled again: in turn, by the rows it wrote.

Then only other processes can still be first; after the last pause the runtime tries again, with pauses of its own.
"""

WhenCommitted = Callable[[Callable[[], None]], None]
"""Takes what is to be called once the event's offset is committed."""


class HandlerRunner:
    """The handlers of all tenants, loaded once.

    Args:
        settings: names the default handler, the time a hook may take, and the caches' backend.
        store: where caches and finished events are; by default what the settings name.
        record_ttl: seconds for which a finished event is known again.
        grace_period: the same for one without an effect, from the commit of its offset on.
        abilities: the kinds of command that each provider can do; what it can't is refused when a handler asks.
        media: where the providers keep media.

    Raises `ConfigurationError` for a path that leads to no handler.
    """

    def __init__(
        self,
        settings: Settings,
        tenants: Tenants,
        store: Store | None = None,
        record_ttl: int = RETRY_SPAN,
        grace_period: int = GRACE_PERIOD,
        abilities: Abilities | None = None,
        media: MediaGateway | None = None,
    ) -> None:
        paths = {tenant.id: tenant.handler or settings.handler for tenant in tenants}
        loaded = {path: load_handler(path) for path in sorted({*paths.values(), settings.handler})}
        for path, handler in loaded.items():
            _check_timeout(path, handler, settings.handler_timeout)
        self._handlers = {tenant: loaded[path] for tenant, path in paths.items()}
        cache = settings.data_dir / "cache"
        self._store = store or open_store(settings.cache, settings.redis, cache, settings.redis_replicas)
        self._timeout = settings.handler_timeout
        self._record_ttl = record_ttl
        self._expiry = RecordExpiry(self._store, grace_period)
        self._turns = Turns()
        self._services = Services(MediaLibrary(self._store, media, settings.media_dir), abilities or {})

    async def run(
        self,
        event: EventBase,
        early: Publish | None = None,
        when_committed: WhenCommitted | None = None,
        *,
        stale: bool = False,
        redriven: bool = False,
    ) -> list[Command]:
        """Handles one event and returns the commands to be published; the recorded ones if it was handled before.

        An event that wrote a row which another event wrote meanwhile is handled again, from the row as it is now.
        What can't wait for the end of the hook (read marks, typing) goes out through `early`, where there is one, and
        once, however often the event is handled. A send by the HTTP API has an effect without any hook; all that it
        does waits for the end, so that its command is the first. A `stale` event is counted and nothing else.

        Every event whose hook ran is remembered: for `record_ttl`, or where it had no effect until its offset is
        committed, which `when_committed` tells, and `grace_period` after that.

        An event that was given up before (`last_word`) is handled anew only if it was `redriven`.

        Raises what the hook raised, `HandlerTimeout`, `UnknownTenant`, `GivenUp`, `Unavailable` while the store is
        away, and `Conflict`. After any of these nothing has taken effect, save that a commit whose answer was lost may
        have: running the event again finds out.
        """
        handler = self.handler(event.tenant_id)
        if stale:
            return _skip(event)
        if isinstance(event, APIMessageEvent):
            return await self._settled(handler, event, None, when_committed, redriven)
        if not handler.handles(event):
            await handler.handle(event)
            return []
        return await self._settled(handler, event, early and _each_once(early), when_committed, redriven)

    async def last_word(
        self, event: EventBase, error: Exception, when_committed: WhenCommitted | None = None
    ) -> list[Command]:
        """Remembers that an event becomes a dead letter, in one step with what the handler's `process_failure` does.

        Returns its commands. Raises what the hook raised, with the event remembered; `Unavailable` while the store is
        away: then the event may not be given up.
        """
        unit = self._failure(event, error)
        try:
            return await self._once(event, unit, partial(self._say_last_word, event, error))
        except Unavailable:
            raise
        except Exception:
            unit = self._failure(event, error)
            await unit.commit()
            raise
        finally:
            self._expire_if_effectless(unit, when_committed)

    def handler(self, tenant_id: str) -> EventHandler:
        """The tenant's handler. Raises `UnknownTenant`."""
        try:
            return self._handlers[tenant_id]
        except KeyError:
            raise UnknownTenant(f"there is no tenant {tenant_id!r} in the tenants file") from None

    async def ping(self) -> None:
        """Returns when the store answers; raises `Unavailable` otherwise."""
        await self._store.ping()

    async def close(self) -> None:
        await self._expiry.close()
        await self._store.close()

    def _failure(self, event: EventBase, error: Exception) -> FailureUnit:
        return FailureUnit(self._store, event.tenant_id, event.event_id, error, self._record_ttl)

    async def _say_last_word(self, event: EventBase, error: Exception) -> None:
        handler = self._handlers.get(event.tenant_id)
        if handler and handler.has_last_word():
            await self._in_time(handler, handler.process_failure(event, error))

    async def _settled(
        self,
        handler: EventHandler,
        event: EventBase,
        early: Publish | None,
        when_committed: WhenCommitted | None,
        redriven: bool,
    ) -> list[Command]:
        rows: list[str] = []
        for pause in _PAUSES:
            unit = UnitOfWork(self._store, event.tenant_id, event.event_id, self._record_ttl, early, redriven=redriven)
            try:
                async with self._turns.of(rows) if rows else nullcontext():
                    commands = await self._once(event, unit, lambda: self._in_time(handler, _handled(handler, event)))
                self._expire_if_effectless(unit, when_committed)
                if unit.closed:  # and not found as recorded
                    HANDLED.labels(event.tenant_id, event.kind).inc()
                return commands
            except Conflict as error:
                conflict, rows = error, unit.rows.contested
            await asyncio.sleep(pause * random.random())  # noqa: S311 (jitter, not a secret)
        raise conflict

    async def _once(self, event: EventBase, unit: UnitOfWork, hook: Callable[[], Awaitable[None]]) -> list[Command]:
        recorded = await unit.recorded()
        if recorded is not None:
            return recorded
        await self._in_hand(event, unit, hook)
        return await unit.commit()

    def _expire_if_effectless(self, unit: UnitOfWork, when_committed: WhenCommitted | None) -> None:
        if unit.effectless and when_committed is not None:
            when_committed(partial(self._expiry.add, unit.tenant_id, unit.key))

    async def _in_hand(self, event: EventBase, unit: UnitOfWork, hook: Callable[[], Awaitable[None]]) -> None:
        names = {"event_id": event.event_id, "tenant": event.tenant_id, "conversation": event.conversation}
        ids = {"tenant": event.tenant_id, "event_id": event.event_id, "event_type": event.event_type}
        step = tracing.span("handle", event.traceparent, SpanKind.INTERNAL, ids)
        with step, hold(event, unit, self._services), bound_contextvars(stage="handle", **names):
            try:
                await hook()
            finally:
                await unit.early_ones()

    async def _in_time(self, handler: EventHandler, work: Awaitable[None]) -> None:
        limit = handler.timeout or self._timeout
        deadline = asyncio.timeout(limit)
        try:
            async with deadline:
                await work
        except TimeoutError:
            if not deadline.expired():
                raise
        if deadline.expired():
            raise HandlerTimeout(
                f"{type(handler).__name__} took longer than {limit:g} s: make it quicker or raise its timeout "
                "or PIPELINE_HANDLER_TIMEOUT"
            )


def _skip(event: EventBase) -> list[Command]:
    """No ids in the log: a message's may hold a number. The trace leads to it."""
    STALE.labels(event.tenant_id).inc()
    age = (event.received_at - event.timestamp).total_seconds()
    _log.info("too old to be handled", tenant=event.tenant_id, age_seconds=round(age), traceparent=event.traceparent)
    return []


async def _handled(handler: EventHandler, event: EventBase) -> None:
    if isinstance(event, APIMessageEvent):
        await carry_out(event)
    await handler.handle(event)


def _check_timeout(path: str, handler: EventHandler, longest: float) -> None:
    """A rebalance waits for `longest`: what takes more would be cut off and done twice."""
    if handler.timeout is not None and not 0 < handler.timeout <= longest:
        raise ConfigurationError(
            f"the timeout of {path} is {handler.timeout:g} s: make it more than 0 and at most "
            f"PIPELINE_HANDLER_TIMEOUT ({longest:g} s), or raise that"
        )


def _each_once(publish: Publish) -> Publish:
    """Publishes each command once, by its id."""
    gone: set[str] = set()

    async def once(command: Command) -> None:
        if command.command_id not in gone:
            await publish(command)
            gone.add(command.command_id)

    return once
