"""The base of images, videos, voice messages, documents and stickers: a file that has to be fetched."""

from __future__ import annotations

import mimetypes
from pathlib import PurePath
from typing import Any

from pydantic import Field

from pipeline.topics.events.messages.base import MessageBase
from pipeline.topics.events.model import EventModel, Number
from pipeline.topics.events.names import MediaType

FETCHED_BY_ID = "media_endpoint"
FETCHED_DIRECTLY = "direct"


class MediaContent(EventModel):
    """The location and the type of a file. Every field may be missing.

    Attributes:
        id: what the provider's media endpoint takes. The Cloud API always gives it.
        mime_type: with its parameters, e.g. `audio/ogg; codecs=opus`.
        sha256: of the file, base64.
        url: where it is. Expires; the Cloud API wants the access token there too. What a gateway's file needs beside
            it (Wasender's `mediaKey`) stays in this object under the gateway's own name.
        file_size: bytes. The Cloud API's webhooks do not tell; its media endpoint does.
        duration: seconds. The same.
    """

    id: str | None = None
    mime_type: str | None = None
    sha256: str | None = None
    url: str | None = Field(None, repr=False)
    caption: str | None = Field(None, repr=False)
    filename: str | None = Field(None, repr=False)
    file_size: int | None = None
    duration: Number | None = None


class MediaMessage(MessageBase):
    """A message with a file. A provider fills `id` or `url` of the content, and `mime_type`."""

    @property
    def media(self) -> MediaContent:
        """The content, whatever the type is called."""
        content: MediaContent = getattr(self, self.type)
        return content

    @property
    def media_id(self) -> str:
        """The id for the provider's media endpoint; empty if the file has a URL only."""
        return self.media.id or ""

    @property
    def media_asset_id(self) -> str:
        """The provider's id of the medium."""
        return self.media_id

    @property
    def mime_type(self) -> str | None:
        """The MIME type as the provider wrote it."""
        return self.media.mime_type

    @property
    def media_type(self) -> MediaType:
        """The MIME type without parameters, as a name to compare with."""
        return MediaType.of(self.media.mime_type)

    @property
    def file_hash(self) -> str | None:
        """The SHA-256 of the file, as the provider wrote it."""
        return self.media.sha256

    @property
    def file_size(self) -> int | None:
        """The size in bytes, if the provider says it."""
        return self.media.file_size

    @property
    def duration(self) -> float | None:
        """The duration in seconds, if the provider says it."""
        return self.media.duration

    @property
    def caption(self) -> str | None:
        """The caption, if there is one."""
        return self.media.caption

    @property
    def has_caption(self) -> bool:
        """True if there is a caption."""
        return bool(self.media.caption)

    def get_download_info(self) -> dict[str, Any]:
        """Return the ways to get the file.

        `download_method` is `direct` (GET `url`) or `media_endpoint` (ask the provider for the URL of `media_id`).
        Both want the account's own authorization where `requires_auth`: it is in no event, so `headers` is empty.
        """
        media = self.media
        return {
            "media_id": self.media_id,
            "url": media.url,
            "headers": {},
            "mime_type": media.mime_type,
            "sha256": media.sha256,
            "platform": self.platform.value,
            "requires_auth": True,
            "download_method": FETCHED_DIRECTLY if media.url else FETCHED_BY_ID,
        }

    def get_file_extension(self) -> str:
        """With its dot, from the name or else the type; empty where neither tells."""
        suffix = PurePath(self.media.filename or "").suffix
        bare = (self.media.mime_type or "").partition(";")[0].strip().lower()
        return suffix or _EXTENSIONS.get(bare) or mimetypes.guess_extension(bare) or ""

    def get_suggested_filename(self) -> str:
        """Return the sender's name for the file, else one made of type and id. It is never a path."""
        named = PurePath((self.media.filename or "").replace("\\", "/")).name
        return named or f"{self.type}_{self.media_id or self.id}{self.get_file_extension()}"


_EXTENSIONS = {"image/jpeg": ".jpg", "image/webp": ".webp", "audio/ogg": ".ogg", "audio/amr": ".amr"}
"""Extensions for which the system's own table is missing or surprising."""
