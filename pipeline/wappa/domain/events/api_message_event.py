"""The event of a send by the HTTP API."""

from pipeline.topics.events import APIMessageEvent

__all__ = ["APIMessageEvent"]
