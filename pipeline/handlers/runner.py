"""Runs handlers: takes one event, returns its commands, and lets its effects happen once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Final

from pipeline.backoff import DEFAULT_RETRIES, RetryPauses
from pipeline.errors import ConfigurationError, Conflict, Unavailable, UnknownTenant
from pipeline.handlers.api.paths import execute
from pipeline.handlers.base import EventHandler
from pipeline.handlers.expiry import RecordExpiry
from pipeline.handlers.guards import Acknowledged, HookTimeout, Idempotent, active
from pipeline.handlers.loading import load_handler
from pipeline.handlers.media.gateway import MediaGateway
from pipeline.handlers.media.library import MediaLibrary
from pipeline.handlers.services import Capabilities, Services, languages_of
from pipeline.handlers.unit_of_work import GRACE_PERIOD, RETRY_SPAN, FailureUnit, Publish, UnitOfWork
from pipeline.keyed_locks import KeyedLocks
from pipeline.logging import get_logger
from pipeline.metrics import HANDLED, STALE
from pipeline.settings import Settings
from pipeline.state import Store, open_store
from pipeline.tenants import Tenants
from pipeline.topics.commands import Command
from pipeline.topics.events import APIMessageEvent, EventBase

_log = get_logger(__name__)
_CONFLICT_PAUSES: Final = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Upper bounds, in seconds, of the random pauses before an event that met a conflict is handled again.

From the first conflict on, the event holds the locks of the rows it wrote, so only other processes can still conflict.
After the last pause the runtime retries the event, with pauses of its own.
"""

WhenCommitted = Callable[[Callable[[], None]], None]
"""Registers a callback to be called once the event's offset is committed."""


class HandlerRunner:
    """The handlers of all tenants, loaded once.

    Args:
        settings: names the default handler, the time a hook may take, and the caches' backend.
        tenants: names each tenant's own handler.
        store: holds caches and the records of finished events; by default the store that the settings name.
        record_ttl: seconds for which the record of a finished event is kept.
        grace_period: the same for an event without an effect, counted from the commit of its offset.
        capabilities: the kinds of command that each provider supports; others are rejected when a handler asks.
        media: uploads and downloads at the providers.

    Raises `ConfigurationError` for a path that leads to no handler.
    """

    def __init__(
        self,
        settings: Settings,
        tenants: Tenants,
        store: Store | None = None,
        record_ttl: int = RETRY_SPAN,
        grace_period: int = GRACE_PERIOD,
        capabilities: Capabilities | None = None,
        media: MediaGateway | None = None,
    ) -> None:
        self._handlers = self._load(settings, tenants)
        cache = settings.data_dir / "cache"
        self._store = store or open_store(settings.cache, settings.redis, cache, settings.redis_replicas)
        self._timeout = settings.handler_timeout
        self._record_ttl = record_ttl
        self._expiry = RecordExpiry(self._store, grace_period)
        self._row_locks = KeyedLocks()
        library = MediaLibrary(self._store, media, settings.media_dir)
        languages = {tenant: handler.template_language for tenant, handler in self._handlers.items()}
        self._services = Services(library, capabilities or {}, languages_of(tenants, languages))
        self.stage = "handle"

    async def run(
        self,
        event: EventBase,
        publish_immediate: Publish | None = None,
        when_committed: WhenCommitted | None = None,
        *,
        stale: bool = False,
        redriven: bool = False,
    ) -> list[Command]:
        """Handle one event and return the commands to publish; the recorded ones if it was handled before.

        An event that wrote a row which another event wrote meanwhile is handled again, from the new row. Its row locks
        then keep other events of this process away.

        Every event whose hook ran leaves a record. The record is kept for `record_ttl` seconds; if the event had no
        effect, until `grace_period` seconds after the commit of its offset.

        A send by the HTTP API has an effect without any hook. All its commands wait for the commit, so that its own
        command is the first.

        Args:
            event: the event.
            publish_immediate: publishes read marks and typing indicators before the hook returns, each of them once
                however often the event is handled. Without it they wait for the commit.
            when_committed: registers a callback for the commit of the event's offset.
            stale: True for an event that is too old: it is counted, and its hook does not run.
            redriven: True for an event that was re-driven on purpose: it is handled even if it was given up before.

        Raises what the hook raised, `HandlerTimeout`, `UnknownTenant`, `GivenUp` (see `give_up`), `Unavailable` while
        the store is away, and `Conflict`. After any of these nothing has taken effect, except that a commit whose reply
        was lost may have happened: running the event again finds its record.
        """
        handler = self.handler(event.tenant_id)
        if stale:
            return _skip_stale(event)
        api_send = self._api_send(event)
        if not (api_send or handler.handles(event)):
            await handler.handle(event)
            return []
        publish = None if api_send or publish_immediate is None else _each_once(publish_immediate)
        rows: list[str] = []
        for pause in _CONFLICT_PAUSES:
            unit = self._unit(event, publish, redriven=redriven)
            try:
                async with self._row_locks.acquire(rows) if rows else nullcontext(), Idempotent(unit) as fresh:
                    if fresh:
                        with active(event, unit, self._services, self.stage):
                            async with Acknowledged(unit), HookTimeout(handler, self._timeout):
                                if api_send:
                                    await execute(api_send)
                                await handler.handle(event)
            except Conflict as error:
                conflict, rows = error, unit.rows.preconditions
            else:
                self._expire_if_effectless(unit, when_committed)
                if fresh:
                    self._count(event)
                return unit.committed
            await asyncio.sleep(pause * random.random())  # noqa: S311 (jitter, not a secret)
        raise conflict

    async def give_up(
        self, event: EventBase, error: Exception, when_committed: WhenCommitted | None = None
    ) -> list[Command]:
        """Record that an event becomes a dead letter, in one step with the effects of the handler's `process_failure`.

        Returns the commands of that hook. Raises what the hook raised, with the event recorded; `Unavailable` while the
        store is away: then the event may not be given up.
        """
        unit = self._failure_unit(event, error)
        handler = self._handlers.get(event.tenant_id)
        try:
            async with Idempotent(unit) as fresh:
                if fresh:
                    with active(event, unit, self._services, self.stage):
                        if handler and handler.handles_failure():
                            async with Acknowledged(unit), HookTimeout(handler, self._timeout):
                                await handler.process_failure(event, error)
            return unit.committed
        except Unavailable:
            raise
        except Exception:
            unit = self._failure_unit(event, error)
            await unit.commit()
            raise
        finally:
            self._expire_if_effectless(unit, when_committed)

    def handler(self, tenant_id: str) -> EventHandler:
        """Return the tenant's handler. Raises `UnknownTenant`."""
        try:
            return self._handlers[tenant_id]
        except KeyError:
            raise UnknownTenant(f"there is no tenant {tenant_id!r} in the tenants file") from None

    def retries(self, event: EventBase) -> RetryPauses:
        """Return the pauses between the tries of an event."""
        handler = self._handlers.get(event.tenant_id)
        return handler.retries if handler else DEFAULT_RETRIES

    async def ping(self) -> None:
        """Return when the store answers. Raises `Unavailable` if it does not."""
        await self._store.ping()

    async def close(self) -> None:
        """Finish the expiry of records and close the store."""
        await self._expiry.close()
        await self._store.close()

    def _load(self, settings: Settings, tenants: Tenants) -> dict[str, EventHandler]:
        """Return the handler of each tenant, by its id."""
        paths = {tenant.id: tenant.handler or settings.handler for tenant in tenants}
        loaded = {path: load_handler(path) for path in sorted({*paths.values(), settings.handler})}
        for path, handler in loaded.items():
            self._check(path, handler, settings)
        return {tenant: loaded[path] for tenant, path in paths.items()}

    def _check(self, path: str, handler: EventHandler, settings: Settings) -> None:
        check_handler(path, handler, settings.handler_timeout)

    def _api_send(self, event: EventBase) -> APIMessageEvent | None:
        """Return an event that is itself a send, which is queued with or without a hook; None for any other."""
        return event if isinstance(event, APIMessageEvent) else None

    def _unit(self, event: EventBase, publish: Publish | None, *, redriven: bool) -> UnitOfWork:
        return UnitOfWork(self._store, event.tenant_id, event.event_id, self._record_ttl, publish, redriven=redriven)

    def _count(self, event: EventBase) -> None:
        HANDLED.labels(event.tenant_id, event.kind).inc()

    def _failure_unit(self, event: EventBase, error: Exception) -> UnitOfWork:
        return FailureUnit(self._store, event.tenant_id, event.event_id, error, self._record_ttl)

    def _expire_if_effectless(self, unit: UnitOfWork, when_committed: WhenCommitted | None) -> None:
        if unit.effectless and when_committed is not None:
            when_committed(partial(self._expiry.add, unit.tenant_id, unit.key))


def _skip_stale(event: EventBase) -> list[Command]:
    """Count and log an event that is too old to be handled.

    The log line has no ids, since a message's may contain a phone number; its traceparent leads to the event.
    """
    STALE.labels(event.tenant_id).inc()
    age = (event.received_at - event.timestamp).total_seconds()
    _log.info(
        "stale_event_skipped",
        detail="too old to be handled",
        tenant=event.tenant_id,
        age_seconds=round(age),
        traceparent=event.traceparent,
    )
    return []


def check_handler(path: str, handler: EventHandler, longest: float) -> None:
    """Raise `ConfigurationError` for retries of another type, and for a timeout above the maximum.

    A rebalance waits for `longest` seconds only: a hook that takes more would be cut off and run twice.
    """
    if not isinstance(handler.retries, RetryPauses):
        raise ConfigurationError(
            f"the retries of {path} are no RetryPauses: write retries = RetryPauses(io_errors=(1, 5, 30))"
        )
    if handler.timeout is not None and not 0 < handler.timeout <= longest:
        raise ConfigurationError(
            f"the timeout of {path} is {handler.timeout:g} s: make it more than 0 and at most "
            f"PIPELINE_HANDLER_TIMEOUT ({longest:g} s), or raise that"
        )


def _each_once(publish: Publish) -> Publish:
    """Return a `publish` that skips commands whose id it has published."""
    published: set[str] = set()

    async def once(command: Command) -> None:
        if command.command_id not in published:
            await publish(command)
            published.add(command.command_id)

    return once
