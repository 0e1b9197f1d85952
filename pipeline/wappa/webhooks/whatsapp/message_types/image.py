"""An image message."""

from topics.events import ImageMessage as WhatsAppImageMessage

__all__ = ["WhatsAppImageMessage"]
