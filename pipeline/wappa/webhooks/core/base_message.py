"""The base of messages of every type."""

from pipeline.topics.events import BaseMessage

__all__ = ["BaseMessage"]
