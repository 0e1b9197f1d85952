"""The result of a send."""

from pipeline.handlers import MessageResult

__all__ = ["MessageResult"]
