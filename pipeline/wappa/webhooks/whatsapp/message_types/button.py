"""A button message."""

from topics.events import ButtonMessage as WhatsAppButtonMessage

__all__ = ["WhatsAppButtonMessage"]
