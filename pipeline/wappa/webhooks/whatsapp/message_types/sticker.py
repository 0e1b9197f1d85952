"""A sticker message."""

from topics.events import StickerMessage as WhatsAppStickerMessage

__all__ = ["WhatsAppStickerMessage"]
