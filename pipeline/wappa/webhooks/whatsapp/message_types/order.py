"""An order message."""

from topics.events import OrderMessage as WhatsAppOrderMessage

__all__ = ["WhatsAppOrderMessage"]
