"""An order message."""

from pipeline.topics.events import OrderMessage as WhatsAppOrderMessage

__all__ = ["WhatsAppOrderMessage"]
