"""A button message."""

from pipeline.topics.events import ButtonMessage as WhatsAppButtonMessage

__all__ = ["WhatsAppButtonMessage"]
