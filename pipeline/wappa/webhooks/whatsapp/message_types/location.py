"""A location message."""

from topics.events import LocationMessage as WhatsAppLocationMessage

__all__ = ["WhatsAppLocationMessage"]
