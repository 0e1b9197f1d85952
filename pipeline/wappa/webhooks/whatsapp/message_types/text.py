"""A text message."""

from pipeline.topics.events import TextMessage as WhatsAppTextMessage

__all__ = ["WhatsAppTextMessage"]
