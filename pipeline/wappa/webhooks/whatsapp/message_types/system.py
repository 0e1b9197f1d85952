"""A system message."""

from pipeline.topics.events import SystemMessage as WhatsAppSystemMessage

__all__ = ["WhatsAppSystemMessage"]
