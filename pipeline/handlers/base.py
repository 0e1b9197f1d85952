"""The base class of business handlers."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from functools import cached_property
from time import perf_counter
from typing import Any, ClassVar, Final, NamedTuple, Self, TypedDict

from structlog.stdlib import BoundLogger

from pipeline.backoff import DEFAULT_RETRIES, RetryPauses
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
    """The parts that a handler can use at this moment: all of them inside a hook, only the logger outside."""

    context: bool
    messenger: bool
    cache_factory: bool
    logger: bool


class BoundContext(NamedTuple):
    """The messenger, caches and ids that `EventHandler.with_context` binds to a copy of a handler."""

    inbox_id: str | None
    user_id: str | None
    messenger: IMessenger | None
    cache_factory: ICacheFactory | None


class EventHandler(ABC):
    """Base class of your handlers: implement `process_message`, and the other hooks that you need.

    One object serves all events of its tenants, many at once. `self.messenger`, `self.cache_factory` and `self.cache`
    always refer to the current event, even if you keep them, or caches made from them, in attributes. Any other
    attribute is shared by all events of this process and lost with it: keep lasting data in a cache.

    A hook's writes and sends take effect together, once, when it returns; only read marks and typing indicators are
    published at once, and may be repeated. If the hook raises, or takes longer than `PIPELINE_HANDLER_TIMEOUT`, it has
    no effect: the event is retried while later events of the conversation wait, and finally becomes a dead letter:
    after some minutes for an I/O error, after a second for any other (`retries`). While Redis is away, or a hook raises
    `Unavailable`, the event waits and never becomes a dead letter.

    Hooks by kind of event:

    - `process_message`: a message of a user, of a type that this version has a model for.
    - `process_status`: a status of a sent message.
    - `process_error`: an error that the platform reports.
    - `process_account_event`: templates, limits, calls, groups, sessions, …; also echoes of the business' own messages.
    - `process_api_message`: a send by the HTTP API; it is queued with or without this hook.
    - `process_unknown`: everything without a model, including messages of new types (`event.is_message`).

    An event whose hook is not implemented is only counted.

    Attributes:
        timeout: seconds that a hook of this class may take; None for `PIPELINE_HANDLER_TIMEOUT`, which is also the
            maximum.
        template_language: the language of templates whose send names none, e.g. `en_US`. A tenant's own wins.
        retries: pauses between the tries of an event on which a hook raises.
        db: None, for handlers that ask for it; `with_context` sets it.
        db_read: the same.
        inbox_ref: the same.
    """

    timeout: ClassVar[float | None] = None
    template_language: ClassVar[str | None] = None
    retries: RetryPauses = DEFAULT_RETRIES
    db: Any = None
    db_read: Any = None
    inbox_ref: Any = None
    _context: BoundContext | None = None

    @abstractmethod
    async def process_message(self, webhook: MessageEvent) -> None:
        """Answer a message of a user."""

    async def process_status(self, webhook: StatusEvent) -> None:  # noqa: B027 (optional)
        """Handle a status of a sent message. By default nothing happens."""

    async def process_error(self, webhook: ErrorEvent) -> None:  # noqa: B027 (optional)
        """Handle an error that the platform reports. By default nothing happens."""

    async def process_account_event(self, webhook: AccountEvent) -> None:  # noqa: B027 (optional)
        """Handle an event of the account; `webhook.event_type` is its type. By default nothing happens."""

    async def process_api_message(self, event: APIMessageEvent) -> None:  # noqa: B027 (optional)
        """Handle a send by the HTTP API, as part of its unit of work. By default nothing happens."""

    async def process_system_webhook(self, webhook: AccountEvent) -> None:  # noqa: B027 (optional)
        """Handle an account event that is no call, by Wappa's name.

        Not called if `process_account_event` is implemented.
        """

    async def process_call(self, webhook: AccountEvent) -> None:  # noqa: B027 (optional)
        """Handle a call, by Wappa's name. Not called if `process_account_event` is implemented."""

    async def process_unknown(self, webhook: UnknownEvent) -> None:  # noqa: B027 (optional)
        """Handle an event without a model; `webhook.event_type` is its type and `webhook.part` its content."""

    async def process_failure(self, webhook: EventBase, error: Exception) -> None:  # noqa: B027 (optional)
        """Apologise when an event has failed for good and becomes a dead letter. By default nothing happens.

        This hook may send and write as the others do. Its effects are a unit of work of their own and take effect once,
        even if the event is re-driven and fails again. An exception here is logged, and nothing more. While the store
        is
        away the event is not given up, and this hook is called again later.
        """

    @property
    def messenger(self) -> IMessenger:
        """The messenger: it sends to users, through the account that the event came by."""
        return (self._context and self._context.messenger) or MESSENGER

    @property
    def cache_factory(self) -> ICacheFactory:
        """The factory of the tenant's caches:

        `create_user_cache()`, `create_state_cache()`, `create_table_cache()`, …
        """
        return (self._context and self._context.cache_factory) or CACHES

    @property
    def cache(self) -> UserStates:
        """One small state per user: `get_user_state`, `set_user_state`, `user_exists`."""
        return UserStates(self.cache_factory)

    @property
    def inbox_id(self) -> str | None:
        """The account that the event came by. Raises `NoActiveEvent` outside a hook."""
        return self._context.inbox_id if self._context else current().event.account

    @property
    def user_id(self) -> str | None:
        """The user that the event is about, if any. Raises `NoActiveEvent` outside a hook."""
        return self._context.user_id if self._context else user_id_of(current().event)

    @cached_property
    def logger(self) -> BoundLogger:
        """The logger of the handler's module; event id, tenant and conversation are added to every line."""
        return get_logger(type(self).__module__)

    def validate_dependencies(self) -> bool:
        """Return True if messenger and caches can be used: inside a hook."""
        return is_active() or bool(self._context and self._context.messenger)

    def get_dependency_status(self) -> DependencyStatus:
        """Return the parts that the handler can use at this moment."""
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
        """Return a copy that uses these arguments instead of the current event:

        for tests of a hook without a runner.
        """
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
        """Replace the default handlers of the given kinds, which count and log events. Call it in `__init__`."""
        given = {"message": message_handler, "status": status_handler, "error": error_handler, "system": system_handler}
        vars(self).update({f"_{kind}_default": handler for kind, handler in given.items() if handler})

    def get_message_stats(self) -> MessageStats:
        """Return the counts of messages in this process."""
        return self._message_default.get_stats()

    def get_status_stats(self) -> StatusStats:
        """Return the counts of statuses in this process."""
        return self._status_default.get_stats()

    def get_error_stats(self) -> ErrorStats:
        """Return the counts of platform errors in this process."""
        return self._error_default.get_stats()

    def get_system_stats(self) -> SystemStats:
        """Return the counts of account events and unknown events in this process."""
        return self._system_default.get_stats()

    def get_all_stats(self) -> AllStats:
        """Return the counts of this process since it started, or since `reset_stats`."""
        return {
            "messages": self.get_message_stats(),
            "status": self.get_status_stats(),
            "errors": self.get_error_stats(),
            "system": self.get_system_stats(),
        }

    def reset_stats(self) -> None:
        """Set all counts to 0."""
        for default in (self._message_default, self._status_default, self._error_default, self._system_default):
            default.reset_stats()

    def handles(self, event: EventBase) -> bool:
        """Return True if this class implements the hook of such an event."""
        return self._writes(self._hook(event))

    def _hook(self, event: EventBase) -> str:
        """Return the name of the event's hook. `process_account_event`, if implemented, gets all account events."""
        if event.kind != "account":
            return _HOOKS.get(event.kind, "process_unknown")
        if self._writes("process_account_event"):
            return "process_account_event"
        return "process_call" if event.event_type in _CALLS else "process_system_webhook"

    def _writes(self, hook: str) -> bool:
        return getattr(type(self), hook) is not getattr(EventHandler, hook)

    def handles_failure(self) -> bool:
        """Return True if this class implements `process_failure`."""
        return self._writes("process_failure")

    async def handle(self, event: EventBase) -> None:
        """Call the hook of an event and count the result. The runner calls this; override the hooks instead."""
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
        """Call the hook of a send by the HTTP API, which no statistics count. A read mark has no hook, as in Wappa."""
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
