"""The base class of business handlers."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from functools import cached_property
from time import perf_counter
from typing import Any, ClassVar, Final, NamedTuple, Self, TypedDict

from structlog.stdlib import BoundLogger

from pipeline.handlers.context import CACHES, current, is_active, user_id_of
from pipeline.handlers.defaults import (
    DefaultErrorHandler,
    DefaultMessageHandler,
    DefaultStatusHandler,
    DefaultSystemHandler,
    LogLevel,
    StatusLogStrategy,
)
from pipeline.handlers.defaults.base import DefaultHandler
from pipeline.handlers.messenger import MESSENGER, IMessenger
from pipeline.handlers.statistics_shapes import AllStats, ErrorStats, MessageStats, StatusStats, SystemStats
from pipeline.handlers.user_state import UserStates
from pipeline.logging import get_logger
from pipeline.state.factory import ICacheFactory
from pipeline.topics.events import (
    AccountEvent,
    APIMessageEvent,
    ErrorEvent,
    EventBase,
    MessageEvent,
    StatusEvent,
    UnknownEvent,
)
from pipeline.topics.events.account_types import AccountEventType
from pipeline.topics.events.api import READ

_HOOKS: Final = {
    "message": "process_message",
    "status": "process_status",
    "error": "process_error",
    "api": "process_api_message",
}
_CALLS: Final = (AccountEventType.CALL, AccountEventType.CALL_STATUS)


class DependencyStatus(TypedDict):
    """What a handler can use at this moment. Everything is there inside a hook, nothing but the logger outside."""

    context: bool
    messenger: bool
    cache_factory: bool
    logger: bool


class BoundContext(NamedTuple):
    """What `EventHandler.with_context` gives a copy of a handler instead of the event in hand."""

    inbox_id: str | None
    user_id: str | None
    messenger: IMessenger | None
    cache_factory: ICacheFactory | None


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
    - `process_api_message`: another system sent something by the HTTP API; it is queued, with or without this hook.
    - `process_unknown`: everything without a model: messages of new types too (`event.is_message`).

    An event whose hook is not written costs nothing beyond being counted.

    Attributes:
        timeout: seconds that a hook of this class may take; None for `PIPELINE_HANDLER_TIMEOUT`, which is also the
            longest that one may set.
        db, db_read, inbox_ref: None, for handlers that ask for them; `with_context` sets them.
    """

    timeout: ClassVar[float | None] = None
    db: Any = None
    db_read: Any = None
    inbox_ref: Any = None
    _context: BoundContext | None = None

    @abstractmethod
    async def process_message(self, webhook: MessageEvent) -> None:
        """Answers a message of a user."""

    async def process_status(self, webhook: StatusEvent) -> None:  # noqa: B027 (optional)
        """Takes note of a status. By default nothing."""

    async def process_error(self, webhook: ErrorEvent) -> None:  # noqa: B027 (optional)
        """Takes note of a platform's error. By default nothing."""

    async def process_account_event(self, webhook: AccountEvent) -> None:  # noqa: B027 (optional)
        """Takes note of what happens to the account; `webhook.event_type` says what. By default nothing."""

    async def process_api_message(self, event: APIMessageEvent) -> None:  # noqa: B027 (optional)
        """Takes note of a send by the HTTP API, as part of its unit of work. By default nothing."""

    async def process_system_webhook(self, webhook: AccountEvent) -> None:  # noqa: B027 (optional)
        """Wappa's name of `process_account_event` for all but calls; not called where that one is written."""

    async def process_call(self, webhook: AccountEvent) -> None:  # noqa: B027 (optional)
        """Wappa's name of `process_account_event` for calls; not called where that one is written."""

    async def process_unknown(self, webhook: UnknownEvent) -> None:  # noqa: B027 (optional)
        """Takes note of what has no model yet; `webhook.event_type` and `webhook.part` say what it is."""

    async def process_failure(self, webhook: EventBase, error: Exception) -> None:  # noqa: B027 (optional)
        """Says sorry, when an event has failed for good and becomes a dead letter. By default nothing.

        It may send and write as the other hooks do; its effects are a unit of their own and take effect once, also
        where the event is re-driven and fails again. What it raises itself is logged, and no more; but while the store
        is away the event is not given up, and this is called again.
        """

    @property
    def messenger(self) -> IMessenger:
        """Sends to users, through the account that the event came by."""
        return (self._context and self._context.messenger) or MESSENGER

    @property
    def cache_factory(self) -> ICacheFactory:
        """Makes the tenant's caches: `create_user_cache()`, `create_state_cache()`, `create_table_cache()`, …"""
        return (self._context and self._context.cache_factory) or CACHES

    @property
    def cache(self) -> UserStates:
        """One small state per user: `get_user_state`, `set_user_state`, `user_exists`."""
        return UserStates(self.cache_factory)

    @property
    def inbox_id(self) -> str | None:
        """The account that the event came by. Raises `NoActiveEvent` where none is in hand."""
        return self._context.inbox_id if self._context else current().event.account

    @property
    def user_id(self) -> str | None:
        """Whom the event is about, if anybody. Raises `NoActiveEvent` where none is in hand."""
        return self._context.user_id if self._context else user_id_of(current().event)

    @cached_property
    def logger(self) -> BoundLogger:
        """Logs under the handler's own module; event id, tenant and conversation are added to every line."""
        return get_logger(type(self).__module__)

    def validate_dependencies(self) -> bool:
        """Whether messenger and caches can be used: inside a hook, yes."""
        return is_active() or bool(self._context and self._context.messenger)

    def get_dependency_status(self) -> DependencyStatus:
        here = self.validate_dependencies()
        return {"context": here, "messenger": here, "cache_factory": here, "logger": True}

    def with_context(
        self,
        inbox_id: str | None,
        user_id: str | None,
        messenger: IMessenger | None,
        cache_factory: ICacheFactory | None,
        db: Any = None,
        db_read: Any = None,
        inbox_ref: Any = None,
    ) -> Self:
        """A copy that uses what it is given instead of the event in hand: for tests of a hook without a runner."""
        bound = copy.copy(self)
        bound._context = BoundContext(inbox_id, user_id, messenger, cache_factory)
        bound.db, bound.db_read, bound.inbox_ref = db, db_read, inbox_ref
        return bound

    def configure_default_handlers(
        self,
        message_handler: DefaultMessageHandler | None = None,
        status_handler: DefaultStatusHandler | None = None,
        error_handler: DefaultErrorHandler | None = None,
        system_handler: DefaultSystemHandler | None = None,
    ) -> None:
        """Replaces what counts and logs events, for those kinds that are given. Call it in `__init__`."""
        given = {"message": message_handler, "status": status_handler, "error": error_handler, "system": system_handler}
        vars(self).update({f"_{kind}_default": handler for kind, handler in given.items() if handler})

    def get_message_stats(self) -> MessageStats:
        return self._message_default.get_stats()

    def get_status_stats(self) -> StatusStats:
        return self._status_default.get_stats()

    def get_error_stats(self) -> ErrorStats:
        return self._error_default.get_stats()

    def get_system_stats(self) -> SystemStats:
        return self._system_default.get_stats()

    def get_all_stats(self) -> AllStats:
        """What this process has handled since it started, or since `reset_stats`."""
        return {
            "messages": self.get_message_stats(),
            "status": self.get_status_stats(),
            "errors": self.get_error_stats(),
            "system": self.get_system_stats(),
        }

    def reset_stats(self) -> None:
        for default in (self._message_default, self._status_default, self._error_default, self._system_default):
            default.reset_stats()

    def handles(self, event: EventBase) -> bool:
        """Whether this class has written the hook for such an event."""
        return self._writes(self._hook(event))

    def _hook(self, event: EventBase) -> str:
        """The name of its hook. Who has written the one hook of account events gets all of them there."""
        if event.kind != "account":
            return _HOOKS.get(event.kind, "process_unknown")
        if self._writes("process_account_event"):
            return "process_account_event"
        return "process_call" if event.event_type in _CALLS else "process_system_webhook"

    def _writes(self, hook: str) -> bool:
        return getattr(type(self), hook) is not getattr(EventHandler, hook)

    def handles_failure(self) -> bool:
        """Whether this class has written `process_failure`."""
        return self._writes("process_failure")

    async def handle(self, event: EventBase) -> None:
        """What happens to every event: before, the hook, after. Called by the runner; override the hooks instead."""
        if isinstance(event, APIMessageEvent):
            await self.handle_api_message(event)
            return
        started = perf_counter()
        default = self._default(event)
        try:
            await getattr(self, self._hook(event))(event)
        except BaseException:
            default.record_failure()
            raise
        default.record_success(event, perf_counter() - started)

    async def handle_api_message(self, event: APIMessageEvent) -> None:
        """The same for a send by the HTTP API, which no statistics count. A read mark has no hook, as in Wappa."""
        if event.message_type != READ:
            await self.process_api_message(event)

    def _default(self, event: EventBase) -> DefaultHandler[Any]:
        name = event.kind if event.kind in ("message", "status", "error") else "system"
        default: DefaultHandler[Any] = getattr(self, f"_{name}_default")
        return default

    @cached_property
    def _message_default(self) -> DefaultMessageHandler:
        return DefaultMessageHandler(log_level=LogLevel.DEBUG)

    @cached_property
    def _status_default(self) -> DefaultStatusHandler:
        return DefaultStatusHandler(StatusLogStrategy.ALL, LogLevel.DEBUG)

    @cached_property
    def _error_default(self) -> DefaultErrorHandler:
        return DefaultErrorHandler()

    @cached_property
    def _system_default(self) -> DefaultSystemHandler:
        return DefaultSystemHandler(LogLevel.DEBUG)


WappaEventHandler = EventHandler
