"""A video message."""

from pipeline.topics.events import VideoMessage as WhatsAppVideoMessage

__all__ = ["WhatsAppVideoMessage"]
