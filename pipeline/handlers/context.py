"""The current event: handlers' messenger and caches always refer to it.

It is a context variable. So one handler object, and whatever it keeps in attributes, serves many tenants and events at
once, and tasks that a hook starts and awaits see the hook's own event.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple

from pipeline.errors import NoActiveEvent
from pipeline.handlers.services import Services, default_services
from pipeline.handlers.unit_of_work import UnitOfWork
from pipeline.state.buffer import FINISHED
from pipeline.state.factory import CacheFactory
from pipeline.state.scope import CacheScope
from pipeline.topics.events import APIMessageEvent, EventBase, MessageEvent, StatusEvent


class HandlerContext(NamedTuple):
    """An event, its unit of work, and the services that its handler may use."""

    event: EventBase
    unit: UnitOfWork
    services: Services


_CURRENT: Final[ContextVar[HandlerContext | None]] = ContextVar("handler_context", default=None)


def current() -> HandlerContext:
    """Return the context of the current event. Raises `NoActiveEvent` if there is none, or if it is finished."""
    context = _CURRENT.get()
    if context is None:
        raise NoActiveEvent("no event is active: use messenger and caches inside a handler's hooks only")
    if context.unit.closed:
        raise NoActiveEvent(FINISHED)
    return context


def is_active() -> bool:
    """Return True inside a hook, until its event is finished."""
    context = _CURRENT.get()
    return context is not None and not context.unit.closed


@contextmanager
def activate(event: EventBase, unit: UnitOfWork, services: Services | None = None) -> Iterator[None]:
    """Make an event the current one. At the end its unit of work is closed, also after an exception."""
    token = _CURRENT.set(HandlerContext(event, unit, services or default_services()))
    try:
        yield
    finally:
        unit.close()
        _CURRENT.reset(token)


def user_id_of(event: EventBase) -> str | None:
    """Return the id of the user whose caches an event's handler uses; None if the event is about nobody.

    That is the contact; in a group, the member; of a send by the HTTP API, the user that its caller named.
    """
    if isinstance(event, MessageEvent) and event.message.group_id:
        return event.user.user_id
    if isinstance(event, APIMessageEvent):
        return event.user_id
    if isinstance(event, StatusEvent) and event.recipient_type == "group":
        return event.user.user_id
    return event.contact


def _scope() -> CacheScope:
    event, unit, _ = current()
    return CacheScope(unit.rows, unit.tenant_id, user_id_of(event), event.account)


CACHES: Final = CacheFactory(_scope)
"""The caches of the current event, for all handlers."""
