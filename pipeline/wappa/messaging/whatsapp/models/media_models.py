"""Types of files."""

from topics.events import MediaType

__all__ = ["MediaType"]
