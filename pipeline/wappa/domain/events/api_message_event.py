"""What a handler is told of sends that came by the HTTP API."""

from topics.events import APIMessageEvent

__all__ = ["APIMessageEvent"]
