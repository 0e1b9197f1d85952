"""An interactive message."""

from topics.events import InteractiveMessage as WhatsAppInteractiveMessage

__all__ = ["WhatsAppInteractiveMessage"]
