"""An audio message."""

from pipeline.topics.events import AudioMessage as WhatsAppAudioMessage

__all__ = ["WhatsAppAudioMessage"]
