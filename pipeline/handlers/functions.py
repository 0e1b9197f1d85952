"""Functions as agents: one event in, effects out, without a class.

>>> @agent(MessageEvent)
... async def visits(event: MessageEvent, effects: Effects) -> None:
...     count = await effects.tables.increment_field("visits", event.user.user_id, "count")
...     await effects.messenger.send_text(f"Visit {count}", event.user.user_id)

An agent is a handler, so it is named in the tenants file like one and has the same unit of work: its rows and sends
take effect together, once, in the order of its conversation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from structlog.stdlib import BoundLogger

from pipeline.errors import UsageError
from pipeline.handlers.base import EventHandler
from pipeline.handlers.messenger import IMessenger
from pipeline.logging import get_logger
from pipeline.state import AIStateCache, ICacheFactory, StateCache, TableCache, UserCache
from pipeline.topics.events import (
    AccountEvent,
    APIMessageEvent,
    ErrorEvent,
    EventBase,
    MessageEvent,
    StatusEvent,
    UnknownEvent,
)

Kind = TypeVar("Kind", bound=EventBase)


@dataclass(frozen=True)
class Effects:
    """The effects that an agent may have for the current event.

    Attributes:
        messenger: sends, through the account that the event came by.
        caches: makes caches of every sort, also of other users of the tenant.
        logger: logs under the agent's module; event id, tenant and conversation are added to every line.
    """

    messenger: IMessenger
    caches: ICacheFactory
    logger: BoundLogger

    @property
    def tables(self) -> TableCache:
        """Rows that all conversations of the tenant share, by table and primary key."""
        return self.caches.create_table_cache()

    @property
    def user(self) -> UserCache:
        """Rows of the user that the event is about."""
        return self.caches.create_user_cache()

    @property
    def state(self) -> StateCache:
        """States of the conversation."""
        return self.caches.create_state_cache()

    @property
    def ai_state(self) -> AIStateCache:
        """States that a language model's agent keeps of the conversation."""
        return self.caches.create_ai_state_cache()


Function = Callable[[Kind, Effects], Awaitable[None]]


class Agent(EventHandler, Generic[Kind]):
    """A function as a handler. Make it with `@agent`.

    Attributes:
        kinds: the types of events that the function takes; any other event is only counted.
    """

    def __init__(self, function: Function[Kind], kinds: tuple[type[Kind], ...]) -> None:
        self.kinds = kinds
        self._function = function
        self._effects = Effects(self.messenger, self.cache_factory, get_logger(function.__module__))
        self.__doc__, self.__module__ = function.__doc__, function.__module__

    async def process_message(self, webhook: MessageEvent) -> None:
        """Call the function."""
        await self._run(webhook)

    async def process_status(self, webhook: StatusEvent) -> None:
        """Call the function."""
        await self._run(webhook)

    async def process_error(self, webhook: ErrorEvent) -> None:
        """Call the function."""
        await self._run(webhook)

    async def process_account_event(self, webhook: AccountEvent) -> None:
        """Call the function."""
        await self._run(webhook)

    async def process_api_message(self, event: APIMessageEvent) -> None:
        """Call the function."""
        await self._run(event)

    async def process_unknown(self, webhook: UnknownEvent) -> None:
        """Call the function."""
        await self._run(webhook)

    def handles(self, event: EventBase) -> bool:
        """Return True if the function takes such an event."""
        return isinstance(event, self.kinds)

    async def _run(self, event: EventBase) -> None:
        if isinstance(event, self.kinds):
            await self._function(event, self._effects)


def agent(*kinds: type[Kind]) -> Callable[[Function[Kind]], Agent[Kind]]:
    """Make a function an agent for these types of events, e.g. `@agent(MessageEvent, StatusEvent)`.

    Raises `UsageError` where no kind is given, or something that is none.
    """
    if not kinds or not all(isinstance(kind, type) and issubclass(kind, EventBase) for kind in kinds):
        raise UsageError("an agent names the events that it takes: write @agent(MessageEvent)")
    return lambda function: Agent(function, kinds)
