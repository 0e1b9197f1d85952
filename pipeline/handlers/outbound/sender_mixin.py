"""The base of all families of sends: makes a request of a call, and a failed result of an invalid call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypedDict

from pipeline.errors import Unsendable
from pipeline.handlers.command_factory import Request
from pipeline.handlers.results import SendResult
from pipeline.handlers.validation import Lifetime
from pipeline.topics.commands import CommandKind, Priority

Body = dict[str, Any]


class SendOptions(TypedDict, total=False):
    """The options that every send takes.

    Attributes:
        priority: `interactive` (the default) answers somebody; `bulk` (the default of a marketing template) is a
            campaign and never delays an answer. Order holds within one priority.
        expires_in: seconds (or a timedelta) after which it is not sent any more; its outcome is then `expired`. None:
            at the end of its kind's lifetime, which a longer time does not extend.
        campaign: groups sends in reports, e.g. `spring-sale`; statuses and outcomes bring it back.
        tags: up to five words for the same, e.g. `("vip", "variant-b")`.
    """

    priority: Priority | str
    expires_in: Lifetime
    campaign: str | None
    tags: Sequence[str] | None


class SenderMixin(ABC):
    """A family of sends. An invalid request is a failed result; only unknown options raise (`TypeError`)."""

    @abstractmethod
    def _queue(self, request: Request) -> SendResult:
        """Queue a request, or return a result with its error."""

    @abstractmethod
    def _check_kind(self, kind: CommandKind) -> None:
        """Raise `Unsendable` for a kind that the account's provider does not support."""

    def _send(
        self,
        kind: CommandKind,
        recipient: str | None,
        reply_to: str | None,
        options: SendOptions,
        build: Callable[..., Body],
        *arguments: object,
    ) -> SendResult:
        """Queue the body that `build` makes of the arguments."""
        try:
            self._check_kind(kind)
            body = build(*arguments)
        except Unsendable as error:
            return self._queue_failure(kind, recipient, options, error)
        return self._queue(Request(kind, recipient, body, reply_to=reply_to, **options))

    def _queue_failure(
        self, kind: CommandKind, recipient: str | None, options: SendOptions, error: Unsendable
    ) -> SendResult:
        return self._queue(Request(kind, recipient, {}, body_error=str(error), error_code=error.code, **options))

    def _error_of(self, kind: CommandKind, recipient: str | None, options: SendOptions) -> Unsendable | None:
        """Return the error that a send has whatever its body is; None if it has none."""
        try:
            self._check_kind(kind)
        except Unsendable as error:
            return error
        message = Request(kind, recipient, {}, **options).error()
        return Unsendable(message) if message else None
