"""What a send gives back."""

from pipeline.handlers import MessageResult

__all__ = ["MessageResult"]
