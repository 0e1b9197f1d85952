"""An unsupported message."""

from topics.events import UnsupportedMessage as WhatsAppUnsupportedMessage

__all__ = ["WhatsAppUnsupportedMessage"]
