"""What messages of every type have in common."""

from topics.events import BaseMessage

__all__ = ["BaseMessage"]
