"""An image message."""

from pipeline.topics.events import ImageMessage as WhatsAppImageMessage

__all__ = ["WhatsAppImageMessage"]
