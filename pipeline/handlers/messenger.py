"""The messenger: a handler's way of sending. Every send becomes a command of the event in hand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from pipeline.handlers.context import in_hand
from pipeline.handlers.limits import Lifetime, wrong_message_id, wrong_text
from pipeline.handlers.outbox import Request, queue
from pipeline.handlers.results import SendResult
from topics.commands import CommandKind, Priority
from topics.events import PlatformType


class IMessenger(ABC):
    """What a handler can send. A bad request raises nothing: its result says what is wrong (`SendResult.error`).

    Every send takes, beside what it sends:

    - `priority`: `interactive` answers somebody; `bulk` is a campaign and never stands in front of an answer.
    - `expires_in`: seconds (or a timedelta) after which it is worth nothing and is not sent; its outcome says so.
    """

    @property
    @abstractmethod
    def platform(self) -> PlatformType: ...

    @property
    @abstractmethod
    def tenant_id(self) -> str:
        """The tenant of the event in hand."""

    @abstractmethod
    async def send_text(
        self,
        text: str,
        recipient: str,
        reply_to_message_id: str | None = None,
        disable_preview: bool = False,
        *,
        priority: Priority | str = Priority.INTERACTIVE,
        expires_in: Lifetime = None,
    ) -> SendResult:
        """Sends a text of 1 to 4,096 characters to a phone number or business-scoped user id."""

    @abstractmethod
    async def mark_as_read(
        self,
        message_id: str,
        typing: bool = False,
        *,
        priority: Priority | str = Priority.INTERACTIVE,
        expires_in: Lifetime = None,
    ) -> SendResult:
        """Marks a message, and all before it, as read; `typing` shows the user that an answer is being written."""


class Messenger(IMessenger):
    """Queues commands in the unit of work of the event in hand. One object serves every handler."""

    @property
    def platform(self) -> PlatformType:
        return in_hand().event.platform

    @property
    def tenant_id(self) -> str:
        return in_hand().event.tenant_id

    async def send_text(
        self,
        text: str,
        recipient: str,
        reply_to_message_id: str | None = None,
        disable_preview: bool = False,
        *,
        priority: Priority | str = Priority.INTERACTIVE,
        expires_in: Lifetime = None,
    ) -> SendResult:
        body = {"text": text, "preview_url": not disable_preview}
        wrong = wrong_text(text)
        return queue(Request(CommandKind.TEXT, recipient, body, priority, expires_in, reply_to_message_id, wrong))

    async def mark_as_read(
        self,
        message_id: str,
        typing: bool = False,
        *,
        priority: Priority | str = Priority.INTERACTIVE,
        expires_in: Lifetime = None,
    ) -> SendResult:
        contact = in_hand().event.contact
        body = {"message_id": message_id, "typing": typing}
        wrong = wrong_message_id(message_id)
        return queue(Request(CommandKind.READ, contact, body, priority, expires_in, wrong=wrong))


MESSENGER: Final = Messenger()
