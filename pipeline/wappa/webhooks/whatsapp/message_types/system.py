"""A system message."""

from topics.events import SystemMessage as WhatsAppSystemMessage

__all__ = ["WhatsAppSystemMessage"]
