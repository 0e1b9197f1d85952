"""The base class of handlers."""

from pipeline.handlers import WappaEventHandler

__all__ = ["WappaEventHandler"]
