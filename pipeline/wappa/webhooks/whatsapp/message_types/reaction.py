"""A reaction message."""

from pipeline.topics.events import ReactionMessage as WhatsAppReactionMessage

__all__ = ["WhatsAppReactionMessage"]
