"""Functions as agents: one event in, effects out, without a class.

>>> @agent(MessageEvent)
... async def visits(event: MessageEvent, effects: Effects) -> None:
...     count = await effects.tables.increment_field("visits", event.user.user_id, "count")
...     await effects.messenger.send_text(f"Visit {count}", event.user.user_id)

An agent runs beside the handlers if the tenants file names it under `agents`, and is a tenant's handler if it is named
as one. Either way its rows and sends for an event take effect together, once, in the order of its conversation. Beside
the handlers it may take commands and outcomes as well.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, overload

from structlog.stdlib import BoundLogger

from pipeline.backoff import DEFAULT_RETRIES, RetryPauses
from pipeline.errors import UsageError
from pipeline.handlers.base import EventHandler
from pipeline.handlers.messenger import IMessenger
from pipeline.handlers.record_events import RecordEvent
from pipeline.logging import get_logger
from pipeline.state import AIStateCache, ICacheFactory, StateCache, TableCache, UserCache
from pipeline.topics.commands import Command
from pipeline.topics.events import (
    AccountEvent,
    APIMessageEvent,
    ErrorEvent,
    EventBase,
    MessageEvent,
    StatusEvent,
    UnknownEvent,
)
from pipeline.topics.outcomes import Outcome

Kind = TypeVar("Kind", bound=EventBase | Command | Outcome)
Second = TypeVar("Second", bound=EventBase | Command | Outcome)
Third = TypeVar("Third", bound=EventBase | Command | Outcome)
_KINDS: Final = (EventBase, Command, Outcome)


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
        kinds: the types of events, commands and outcomes that the function takes; anything else is only counted.
    """

    def __init__(
        self, function: Function[Kind], kinds: tuple[type[Kind], ...], retries: RetryPauses = DEFAULT_RETRIES
    ) -> None:
        self.kinds = kinds
        self.retries = retries
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

    @property
    def takes_records(self) -> bool:
        """True if the function takes commands or outcomes, which only an agent beside the handlers gets."""
        return any(issubclass(kind, (Command, Outcome)) for kind in self.kinds)

    def handles(self, event: EventBase) -> bool:
        """Return True if the function takes such an event."""
        return isinstance(_value(event), self.kinds)

    async def _run(self, event: EventBase) -> None:
        value = _value(event)
        if isinstance(value, self.kinds):
            await self._function(value, self._effects)


def _value(event: EventBase) -> EventBase | Command | Outcome:
    return event.value if type(event) is RecordEvent else event


@overload
def agent(kind: type[Kind], /, *, retries: RetryPauses = ...) -> Callable[[Function[Kind]], Agent[Kind]]: ...
@overload
def agent(
    kind: type[Kind], other: type[Second], /, *, retries: RetryPauses = ...
) -> Callable[[Function[Kind | Second]], Agent[Any]]: ...
@overload
def agent(
    kind: type[Kind], other: type[Second], third: type[Third], /, *, retries: RetryPauses = ...
) -> Callable[[Function[Kind | Second | Third]], Agent[Any]]: ...
@overload
def agent(*kinds: type[Any], retries: RetryPauses = ...) -> Callable[[Function[Any]], Agent[Any]]: ...
def agent(*kinds: type[Any], retries: RetryPauses = DEFAULT_RETRIES) -> Callable[[Function[Any]], Agent[Any]]:
    """Make a function an agent for these types, e.g. `@agent(MessageEvent, StatusEvent)` or `@agent(Outcome)`.

    `retries` are the pauses between the tries of an event on which the function raises.

    Raises `UsageError` where no kind is given, or something that is none.
    """
    if not kinds or not all(isinstance(kind, type) and issubclass(kind, _KINDS) for kind in kinds):
        raise UsageError("an agent names the events that it takes: write @agent(MessageEvent)")
    return lambda function: Agent(function, kinds, retries)
