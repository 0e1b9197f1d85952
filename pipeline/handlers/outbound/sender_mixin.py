"""What the families of sends have in common: from a call to a request, and from a mistake to a result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypedDict

from pipeline.errors import Unsendable
from pipeline.handlers.command_factory import Request
from pipeline.handlers.results import SendResult
from pipeline.handlers.validation import Lifetime
from pipeline.topics.commands import CommandKind, Priority

Body = dict[str, Any]


class SendOptions(TypedDict, total=False):
    """What every send takes beside what it sends.

    Attributes:
        priority: `interactive` (the default) answers somebody; `bulk` is a campaign and never stands before an answer.
        expires_in: seconds (or a timedelta) after which it is worth nothing and is not sent; its outcome says so.
    """

    priority: Priority | str
    expires_in: Lifetime


class SenderMixin(ABC):
    """A family of sends. What a bad request lacks becomes its result; only unknown options raise (`TypeError`)."""

    @abstractmethod
    def _queue(self, request: Request) -> SendResult:
        """Queues a request, or says in its result what is wrong with it."""

    @abstractmethod
    def _check_kind(self, kind: CommandKind) -> None:
        """Raises `Unsendable` for what the account's provider can't do."""

    def _send(
        self,
        kind: CommandKind,
        recipient: str | None,
        reply_to: str | None,
        options: SendOptions,
        build: Callable[..., Body],
        *arguments: object,
    ) -> SendResult:
        """Queues what `build` makes of the arguments."""
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
        """What is wrong with a send whatever its body is."""
        try:
            self._check_kind(kind)
        except Unsendable as error:
            return error
        fault = Request(kind, recipient, {}, **options).error()
        return Unsendable(fault) if fault else None
