"""A document message."""

from pipeline.topics.events import DocumentMessage as WhatsAppDocumentMessage

__all__ = ["WhatsAppDocumentMessage"]
