"""The messenger."""

from pipeline.handlers import IMessenger

__all__ = ["IMessenger"]
