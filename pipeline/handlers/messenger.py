"""The messenger: handlers send with it. Every send becomes a command of the current event."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Final, Unpack

from pipeline.errors import Unsendable
from pipeline.handlers.command_factory import Request, queue
from pipeline.handlers.context import current
from pipeline.handlers.media.handler import MEDIA, MediaHandler
from pipeline.handlers.media.sources import as_reference, load_upload
from pipeline.handlers.outbound import checks
from pipeline.handlers.outbound.changes import ChangeSender
from pipeline.handlers.outbound.commerce import CommerceSender
from pipeline.handlers.outbound.interactive import InteractiveSender
from pipeline.handlers.outbound.media import MediaSender
from pipeline.handlers.outbound.sender_mixin import Body, SendOptions
from pipeline.handlers.outbound.specialised import SpecialisedSender
from pipeline.handlers.outbound.templates import TemplateSender
from pipeline.handlers.results import SendResult
from pipeline.handlers.validation import validate_message_id
from pipeline.topics.commands import CommandKind
from pipeline.topics.events import APIMessageEvent, EventBase, PlatformType


class IMessenger(MediaSender, InteractiveSender, TemplateSender, CommerceSender, SpecialisedSender, ChangeSender):
    """The sends of a handler, with Wappa's names and order of arguments. Every argument may be passed by keyword.

    A recipient is a phone number, a business-scoped user id, a group id or a JID, as the provider writes it. An invalid
    request raises nothing: its result has the error (`SendResult.error`, `error_code`). Every send takes `priority`,
    `expires_in`, `campaign` and `tags` (`SendOptions`).
    """

    @property
    @abstractmethod
    def platform(self) -> PlatformType:
        """The messaging platform."""

    @property
    @abstractmethod
    def tenant_id(self) -> str:
        """The tenant of the current event."""

    @property
    @abstractmethod
    def inbox_id(self) -> str:
        """The account that sends (Cloud API: phone_number_id)."""

    @property
    @abstractmethod
    def media_handler(self) -> MediaHandler:
        """The account's media: upload, download, delete."""

    async def send_text(
        self,
        text: str,
        recipient: str,
        reply_to_message_id: str | None = None,
        disable_preview: bool = False,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send a text of 1 to 4,096 characters. The first link in it is previewed, unless `disable_preview`."""
        return self._send(CommandKind.TEXT, recipient, reply_to_message_id, options, text_body, text, disable_preview)

    @abstractmethod
    async def mark_as_read(self, message_id: str, typing: bool = False, **options: Unpack[SendOptions]) -> SendResult:
        """Mark a message, and all before it, as read. `typing` shows the user a typing indicator."""


def text_body(text: object, disable_preview: bool) -> Body:
    """Return the body of a text."""
    said = checks.text("text", text, checks.TEXT)
    linked = "http://" in said or "https://" in said
    return {"text": said, "preview_url": linked and not disable_preview}


class Messenger(IMessenger):
    """Queues commands in the unit of work of the current event. One object serves every handler."""

    @property
    def platform(self) -> PlatformType:
        """The messaging platform."""
        return current().event.platform

    @property
    def tenant_id(self) -> str:
        """The tenant of the current event."""
        return current().event.tenant_id

    @property
    def inbox_id(self) -> str:
        """The account that sends (Cloud API: phone_number_id)."""
        return current().event.account

    @property
    def media_handler(self) -> MediaHandler:
        """The account's media: upload, download, delete."""
        return MEDIA

    async def mark_as_read(self, message_id: str, typing: bool = False, **options: Unpack[SendOptions]) -> SendResult:
        """Mark a message, and all before it, as read. `typing` shows the user a typing indicator."""
        body = {"message_id": message_id, "typing": typing}
        wrong = validate_message_id(message_id)
        return queue(Request(CommandKind.READ, _reader(current().event, message_id), body, body_error=wrong, **options))

    def _queue(self, request: Request) -> SendResult:
        return queue(request)

    def _template_language(self) -> str | None:
        here = current()
        return here.services.languages.get(here.event.tenant_id)

    def _check_kind(self, kind: CommandKind) -> None:
        event, services = current().event, current().services
        if not services.supports(event.provider, kind):
            raise Unsendable(f"{event.provider} can't do {kind}: use another kind of send", "UNSUPPORTED")

    async def _medium(self, source: object, kind: str, mime_type: str | None, filename: str | None) -> dict[str, Any]:
        here = current()
        named = {"filename": filename} if filename else {}
        if (known := as_reference(source)) is not None:
            return known | named
        upload = await load_upload(source, mime_type, filename, kind, folder=here.services.library.folder)
        if kind == CommandKind.DOCUMENT:
            named = {"filename": upload.filename}
        return await here.services.library.upload_once(here.event, upload) | named


def _reader(event: EventBase, message_id: str) -> str | None:
    """Return the chat of a read mark.

    The HTTP API may name the message only, as Meta does: its id is then its own ordering key.
    """
    return event.contact or (message_id if isinstance(event, APIMessageEvent) else None)


MESSENGER: Final = Messenger()
