"""The base class of business handlers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from time import perf_counter
from typing import Final, TypedDict

from structlog.stdlib import BoundLogger

from pipeline.handlers.context import CACHES, is_in_hand
from pipeline.handlers.messenger import MESSENGER, IMessenger
from pipeline.handlers.statistics import Statistics
from pipeline.handlers.statistics_shapes import AllStats, ErrorStats, MessageStats, StatusStats, SystemStats
from pipeline.handlers.user_state import USER_STATES, UserStates
from pipeline.logging import get_logger
from pipeline.state.factory import ICacheFactory
from topics.events import AccountEvent, ErrorEvent, EventBase, MessageEvent, StatusEvent, UnknownEvent

_HOOKS: Final = {
    "message": "process_message",
    "status": "process_status",
    "error": "process_error",
    "account": "process_account_event",
}


class DependencyStatus(TypedDict):
    """What a handler can use at this moment. Everything is there inside a hook, nothing but the logger outside."""

    context: bool
    messenger: bool
    cache_factory: bool
    logger: bool


class EventHandler(ABC):
    """A business' answer to events: write `process_message`, and the other hooks where you need them.

    One object serves all events of its tenants, many at once. `self.messenger`, `self.cache_factory` and `self.cache`
    always mean the event in hand, also where the object keeps them, or caches made from them, in attributes. Any other
    attribute is shared by all events of this process and gone with it: keep what matters in a cache.

    A hook's writes and sends take effect together, once, when it returns; only read marks and typing indicators go out
    at once, and may be repeated. When it raises, or takes longer than `PIPELINE_HANDLER_TIMEOUT`, none of them does:
    the event is tried again, later events of the conversation wait, and in the end it is a dead letter. While Redis is
    away it waits and is never a dead letter.

    Hooks by kind of event:

    - `process_message`: a user wrote something that this version has a model for.
    - `process_status`: something became of a message that was sent.
    - `process_error`: the platform reports errors.
    - `process_account_event`: templates, limits, calls, groups, sessions, …; also echoes of the business' own messages.
    - `process_unknown`: everything without a model: messages of new types too (`event.is_message`).

    An event whose hook is not written costs nothing beyond being counted.
    """

    @abstractmethod
    async def process_message(self, webhook: MessageEvent) -> None:
        """Answers a message of a user."""

    async def process_status(self, webhook: StatusEvent) -> None:  # noqa: B027 (optional)
        """Takes note of a status. By default nothing."""

    async def process_error(self, webhook: ErrorEvent) -> None:  # noqa: B027 (optional)
        """Takes note of a platform's error. By default nothing."""

    async def process_account_event(self, webhook: AccountEvent) -> None:  # noqa: B027 (optional)
        """Takes note of what happens to the account; `webhook.event_type` says what. By default nothing."""

    async def process_unknown(self, webhook: UnknownEvent) -> None:  # noqa: B027 (optional)
        """Takes note of what has no model yet; `webhook.event_type` and `webhook.part` say what it is."""

    @property
    def messenger(self) -> IMessenger:
        """Sends to users, through the account that the event came by."""
        return MESSENGER

    @property
    def cache_factory(self) -> ICacheFactory:
        """Makes the tenant's caches: `create_user_cache()`, `create_state_cache()`, `create_table_cache()`."""
        return CACHES

    @property
    def cache(self) -> UserStates:
        """One small state per user: `get_user_state`, `set_user_state`, `user_exists`."""
        return USER_STATES

    @cached_property
    def logger(self) -> BoundLogger:
        """Logs under the handler's own module; event id, tenant and conversation are added to every line."""
        return get_logger(type(self).__module__)

    def validate_dependencies(self) -> bool:
        """Whether messenger and caches can be used: inside a hook, yes."""
        return is_in_hand()

    def get_dependency_status(self) -> DependencyStatus:
        here = is_in_hand()
        return {"context": here, "messenger": here, "cache_factory": here, "logger": True}

    def get_message_stats(self) -> MessageStats:
        return self._statistics.message_stats()

    def get_status_stats(self) -> StatusStats:
        return self._statistics.status_stats()

    def get_error_stats(self) -> ErrorStats:
        return self._statistics.error_stats()

    def get_system_stats(self) -> SystemStats:
        return self._statistics.system_stats()

    def get_all_stats(self) -> AllStats:
        return self._statistics.all_stats()

    def reset_stats(self) -> None:
        self._statistics.reset()

    def handles(self, event: EventBase) -> bool:
        """Whether this class has written the hook for such an event."""
        name = _HOOKS.get(event.kind, "process_unknown")
        return getattr(type(self), name) is not getattr(EventHandler, name)

    async def handle(self, event: EventBase) -> None:
        """What happens to every event: before, the hook, after. Called by the runner; override the hooks instead."""
        started = perf_counter()
        try:
            await getattr(self, _HOOKS.get(event.kind, "process_unknown"))(event)
        except BaseException:
            self._statistics.failed(event)
            raise
        self._statistics.handled(event)
        self.logger.debug("event handled", event_type=event.event_type, seconds=perf_counter() - started)

    @cached_property
    def _statistics(self) -> Statistics:
        return Statistics()


WappaEventHandler = EventHandler
