"""An audio message."""

from topics.events import AudioMessage as WhatsAppAudioMessage

__all__ = ["WhatsAppAudioMessage"]
