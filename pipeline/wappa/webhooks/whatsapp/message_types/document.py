"""A document message."""

from topics.events import DocumentMessage as WhatsAppDocumentMessage

__all__ = ["WhatsAppDocumentMessage"]
