"""Types of files."""

from pipeline.topics.events import MediaType

__all__ = ["MediaType"]
