"""A contact message."""

from topics.events import ContactsMessage as WhatsAppContactMessage

__all__ = ["WhatsAppContactMessage"]
