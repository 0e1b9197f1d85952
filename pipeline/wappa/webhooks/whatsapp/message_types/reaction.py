"""A reaction message."""

from topics.events import ReactionMessage as WhatsAppReactionMessage

__all__ = ["WhatsAppReactionMessage"]
