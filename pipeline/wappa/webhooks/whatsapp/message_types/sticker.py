"""A sticker message."""

from pipeline.topics.events import StickerMessage as WhatsAppStickerMessage

__all__ = ["WhatsAppStickerMessage"]
