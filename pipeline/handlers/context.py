"""The event in hand: what a handler's messenger and caches belong to at this moment.

It is a context variable, so one handler object, and whatever it keeps in attributes, serves many tenants and events at
once, and tasks that a hook starts and awaits see the hook's own event.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple

from pipeline.errors import OutsideEvent
from pipeline.handlers.services import Services, no_services
from pipeline.handlers.unit_of_work import UnitOfWork
from pipeline.state.buffer import FINISHED
from pipeline.state.factory import CacheFactory
from pipeline.state.scope import CacheScope
from pipeline.topics.events import APIMessageEvent, EventBase, MessageEvent, StatusEvent


class EventInHand(NamedTuple):
    """An event, its effects, and what its handler may use for them."""

    event: EventBase
    unit: UnitOfWork
    services: Services


_IN_HAND: Final[ContextVar[EventInHand | None]] = ContextVar("event_in_hand", default=None)


def in_hand() -> EventInHand:
    """The event in hand. Raises `OutsideEvent` where there is none, or where it is finished."""
    found = _IN_HAND.get()
    if found is None:
        raise OutsideEvent("no event is in hand: use messenger and caches inside a handler's hooks only")
    if found.unit.closed:
        raise OutsideEvent(FINISHED)
    return found


def is_in_hand() -> bool:
    found = _IN_HAND.get()
    return found is not None and not found.unit.closed


@contextmanager
def hold(event: EventBase, unit: UnitOfWork, services: Services | None = None) -> Iterator[None]:
    """Puts an event into hand; its unit of work is closed afterwards, whatever happened."""
    token = _IN_HAND.set(EventInHand(event, unit, services or no_services()))
    try:
        yield
    finally:
        unit.close()
        _IN_HAND.reset(token)


def person(event: EventBase) -> str | None:
    """Whose user cache an event's is: the contact's, in a group the member's, and of a send whose its caller said."""
    if isinstance(event, MessageEvent) and event.message.group_id:
        return event.user.user_id
    if isinstance(event, APIMessageEvent):
        return event.user_id
    if isinstance(event, StatusEvent) and event.recipient_type == "group":
        return event.user.user_id
    return event.contact


def _scope() -> CacheScope:
    event, unit, _ = in_hand()
    return CacheScope(unit.rows, event.tenant_id, person(event), event.account)


CACHES: Final = CacheFactory(_scope)
"""Caches of the event in hand, for all handlers."""
