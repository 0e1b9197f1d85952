"""The media handler."""

from pipeline.handlers import IMediaHandler

__all__ = ["IMediaHandler"]
