"""What a handler is told of sends that came by the HTTP API."""

from pipeline.topics.events import APIMessageEvent

__all__ = ["APIMessageEvent"]
