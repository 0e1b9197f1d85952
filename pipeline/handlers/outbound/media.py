"""Sends of media. A file is uploaded when the handler calls, once for all its sends."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Unpack

from pipeline.errors import Unsendable
from pipeline.handlers.media.sources import Source
from pipeline.handlers.outbound import checks
from pipeline.handlers.outbound.sender_mixin import Body, SenderMixin, SendOptions
from pipeline.handlers.results import SendResult
from pipeline.topics.commands import CommandKind

CAPTION = 1024


class MediaSender(SenderMixin):
    """Sends media. A source is a URL, a provider's media id, a path, bytes, an open file, or `{"id": …}` or `{"link":
    …}`.

    URLs and ids are sent as they are. Files are checked (type, size) and uploaded; `mime_type` names the type of bytes
    that
    don't show it themselves. `transcript` exists for Wappa's handlers and is ignored, there as here.
    """

    @abstractmethod
    async def _medium(self, source: object, kind: str, mime_type: str | None, filename: str | None) -> Body:
        """Return the medium as commands name it. Raises `Unsendable`."""

    async def send_image(
        self,
        image_source: Source,
        recipient: str,
        caption: str | None = None,
        reply_to_message_id: str | None = None,
        *,
        view_once: bool = False,
        mime_type: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send a JPEG or PNG of up to 5 MiB, with a caption of up to 1,024 characters."""
        fields = {"caption": caption, "view_once": view_once or None}
        return await self._send_media(
            CommandKind.IMAGE, image_source, recipient, reply_to_message_id, options, fields, mime_type
        )

    async def send_video(
        self,
        video_source: Source,
        recipient: str,
        caption: str | None = None,
        reply_to_message_id: str | None = None,
        transcript: str | None = None,
        *,
        view_once: bool = False,
        mime_type: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send an MP4 or 3GP of up to 16 MiB."""
        fields = {"caption": caption, "view_once": view_once or None}
        return await self._send_media(
            CommandKind.VIDEO, video_source, recipient, reply_to_message_id, options, fields, mime_type
        )

    async def send_audio(
        self,
        audio_source: Source,
        recipient: str,
        reply_to_message_id: str | None = None,
        transcript: str | None = None,
        is_voice: bool = False,
        *,
        mime_type: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send AAC, AMR, MP3, M4A or OGG of up to 16 MiB; `is_voice` (OGG with Opus) shows it as a voice note."""
        fields = {"voice": is_voice or None}
        return await self._send_media(
            CommandKind.AUDIO, audio_source, recipient, reply_to_message_id, options, fields, mime_type
        )

    async def send_voice(
        self,
        audio_source: Source,
        recipient: str,
        reply_to_message_id: str | None = None,
        *,
        mime_type: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send a voice note: OGG with Opus."""
        return await self.send_audio(
            audio_source, recipient, reply_to_message_id, None, True, mime_type=mime_type, **options
        )

    async def send_document(
        self,
        document_source: Source,
        recipient: str,
        filename: str | None = None,
        caption: str | None = None,
        reply_to_message_id: str | None = None,
        *,
        mime_type: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send a text, PDF or office file of up to 100 MiB. The user sees `filename`, by default the path's name."""
        return await self._send_media(
            CommandKind.DOCUMENT,
            document_source,
            recipient,
            reply_to_message_id,
            options,
            {"caption": caption},
            mime_type,
            filename,
        )

    async def send_sticker(
        self,
        sticker_source: Source,
        recipient: str,
        reply_to_message_id: str | None = None,
        *,
        mime_type: str | None = None,
        **options: Unpack[SendOptions],
    ) -> SendResult:
        """Send a WebP of 512 x 512 pixels: up to 100 KiB static, 500 KiB animated."""
        return await self._send_media(
            CommandKind.STICKER, sticker_source, recipient, reply_to_message_id, options, {}, mime_type
        )

    async def _send_media(
        self,
        kind: CommandKind,
        source: object,
        recipient: str,
        reply_to: str | None,
        options: SendOptions,
        fields: dict[str, Any],
        mime_type: str | None,
        filename: str | None = None,
    ) -> SendResult:
        """Queue a medium. The upload comes last: a request that is invalid anyway uploads nothing."""
        first = self._error_of(kind, recipient, options)
        if first is None:
            try:
                body = checked(fields, filename)
                body["media"] = await self._medium(source, kind.value, mime_type, filename)
                return self._send(kind, recipient, reply_to, options, lambda: body)
            except Unsendable as error:
                first = error
        return self._queue_failure(kind, recipient, options, first)


def checked(fields: dict[str, Any], filename: object) -> Body:
    """Return the fields of a medium beside the medium itself."""
    checks.optional("file name", filename, 240)
    caption = checks.optional("caption", fields.pop("caption", None), CAPTION)
    return checks.given(caption=caption, **fields)
