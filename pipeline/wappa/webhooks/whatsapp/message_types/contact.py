"""A contact message."""

from pipeline.topics.events import ContactsMessage as WhatsAppContactMessage

__all__ = ["WhatsAppContactMessage"]
