"""Stickers."""

from __future__ import annotations

from typing import Literal

from pipeline.topics.events.messages.media import MediaContent, MediaMessage
from pipeline.topics.events.model import Flag


class StickerContent(MediaContent):
    """`animated` may be missing."""

    animated: bool | None = None


class StickerMessage(MediaMessage):
    """A sticker. A provider fills `sticker` (`StickerContent`)."""

    type: Literal["sticker"]
    sticker: StickerContent

    @property
    def is_animated(self) -> Flag:
        """True for an animated sticker."""
        return Flag(bool(self.sticker.animated))

    @property
    def is_static(self) -> Flag:
        """True for any other sticker."""
        return Flag(not self.sticker.animated)

    @property
    def is_webp(self) -> Flag:
        """True for WebP."""
        return Flag(self.media_type == "image/webp")
