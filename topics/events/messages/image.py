"""Images."""

from __future__ import annotations

from typing import Literal

from pipeline.topics.events.messages.media import MediaContent, MediaMessage
from pipeline.topics.events.model import Flag


class ImageMessage(MediaMessage):
    """A picture. A provider fills `image` (`MediaContent`), and `filename` only where it knows one."""

    type: Literal["image"]
    image: MediaContent

    @property
    def image_mime_type(self) -> str | None:
        """The MIME type of the image."""
        return self.image.mime_type

    @property
    def image_hash(self) -> str | None:
        """The SHA-256 of the image."""
        return self.image.sha256

    @property
    def caption_text(self) -> str:
        """The caption; empty if there is none."""
        return self.image.caption or ""

    @property
    def is_ad_image(self) -> Flag:
        """True if the user came from an ad."""
        return self.is_ad_message
