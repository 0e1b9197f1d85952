"""What messages of every type have in common."""

from pipeline.topics.events import BaseMessage

__all__ = ["BaseMessage"]
