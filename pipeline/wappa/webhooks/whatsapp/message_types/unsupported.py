"""An unsupported message."""

from pipeline.topics.events import UnsupportedMessage as WhatsAppUnsupportedMessage

__all__ = ["WhatsAppUnsupportedMessage"]
