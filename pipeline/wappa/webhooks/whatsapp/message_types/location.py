"""A location message."""

from pipeline.topics.events import LocationMessage as WhatsAppLocationMessage

__all__ = ["WhatsAppLocationMessage"]
