"""A video message."""

from topics.events import VideoMessage as WhatsAppVideoMessage

__all__ = ["WhatsAppVideoMessage"]
