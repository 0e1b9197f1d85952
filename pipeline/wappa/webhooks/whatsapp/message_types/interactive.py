"""An interactive message."""

from pipeline.topics.events import InteractiveMessage as WhatsAppInteractiveMessage

__all__ = ["WhatsAppInteractiveMessage"]
