"""A text message."""

from topics.events import TextMessage as WhatsAppTextMessage

__all__ = ["WhatsAppTextMessage"]
