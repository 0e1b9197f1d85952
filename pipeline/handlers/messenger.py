"""The messenger: a handler's way of sending. Every send becomes a command of the event in hand."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Final, Unpack

from pipeline.errors import Unsendable
from pipeline.handlers.context import in_hand
from pipeline.handlers.limits import wrong_message_id
from pipeline.handlers.media.handler import MEDIA, MediaHandler
from pipeline.handlers.media.sources import file_of, reference
from pipeline.handlers.outbox import Request, queue
from pipeline.handlers.results import SendResult
from pipeline.handlers.sends import checks
from pipeline.handlers.sends.changes import ChangeSends
from pipeline.handlers.sends.commerce import CommerceSends
from pipeline.handlers.sends.family import Body, SendOptions
from pipeline.handlers.sends.interactive import InteractiveSends
from pipeline.handlers.sends.media import MediaSends
from pipeline.handlers.sends.specialised import SpecialisedSends
from pipeline.handlers.sends.templates import TemplateSends
from pipeline.topics.commands import CommandKind
from pipeline.topics.events import APIMessageEvent, EventBase, PlatformType


class IMessenger(MediaSends, InteractiveSends, TemplateSends, CommerceSends, SpecialisedSends, ChangeSends):
    """What a handler can send, with Wappa's names and order of arguments. `recipient` and all else go by keyword, too.

    A recipient is a phone number, a business-scoped user id, a group id or a JID, as the provider writes it. A bad
    request raises nothing: its result says what is wrong (`SendResult.error`, `error_code`). Every send takes
    `priority` and `expires_in` (`SendOptions`).
    """

    @property
    @abstractmethod
    def platform(self) -> PlatformType: ...

    @property
    @abstractmethod
    def tenant_id(self) -> str:
        """The tenant of the event in hand."""

    @property
    @abstractmethod
    def inbox_id(self) -> str:
        """The account that sends (Cloud API: phone_number_id)."""

    @property
    @abstractmethod
    def media_handler(self) -> MediaHandler:
        """Uploads, downloads and deletes the account's media."""

    async def send_text(
        self,
        text: str,
        recipient: str,
        reply_to_message_id: str | None = None,
        disable_preview: bool = False,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Sends a text of 1 to 4,096 characters. The first link in it is previewed, unless `disable_preview`."""
        return self._send(CommandKind.TEXT, recipient, reply_to_message_id, options, text_body, text, disable_preview)

    @abstractmethod
    async def mark_as_read(self, message_id: str, typing: bool = False, **options: Unpack[SendOptions]) -> SendResult:
        """Marks a message, and all before it, as read; `typing` shows the user that an answer is being written."""


def text_body(text: object, disable_preview: bool) -> Body:
    said = checks.text("text", text, checks.TEXT)
    linked = "http://" in said or "https://" in said
    return {"text": said, "preview_url": linked and not disable_preview}


class Messenger(IMessenger):
    """Queues commands in the unit of work of the event in hand. One object serves every handler."""

    @property
    def platform(self) -> PlatformType:
        return in_hand().event.platform

    @property
    def tenant_id(self) -> str:
        return in_hand().event.tenant_id

    @property
    def inbox_id(self) -> str:
        return in_hand().event.account

    @property
    def media_handler(self) -> MediaHandler:
        return MEDIA

    async def mark_as_read(self, message_id: str, typing: bool = False, **options: Unpack[SendOptions]) -> SendResult:
        body = {"message_id": message_id, "typing": typing}
        wrong = wrong_message_id(message_id)
        return queue(Request(CommandKind.READ, _reader(in_hand().event, message_id), body, wrong=wrong, **options))

    def _queue(self, request: Request) -> SendResult:
        return queue(request)

    def _check_kind(self, kind: CommandKind) -> None:
        event, services = in_hand().event, in_hand().services
        if not services.does(event.provider, kind):
            raise Unsendable(f"{event.provider} can't do {kind}: use another kind of send", "UNSUPPORTED")

    async def _medium(self, source: object, kind: str, mime_type: str | None, filename: str | None) -> dict[str, Any]:
        here = in_hand()
        named = {"filename": filename} if filename else {}
        if (known := reference(source)) is not None:
            return known | named
        upload = await file_of(source, mime_type, filename, kind, folder=here.services.library.folder)
        if kind == CommandKind.DOCUMENT:
            named = {"filename": upload.filename}
        return await here.services.library.medium(here.event, upload) | named


def _reader(event: EventBase, message_id: str) -> str | None:
    """Whose message is read. The HTTP API may name the message alone, as Meta does: it is then alone in its order."""
    return event.contact or (message_id if isinstance(event, APIMessageEvent) else None)


MESSENGER: Final = Messenger()
