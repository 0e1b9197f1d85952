"""Contact cards."""

from pipeline.handlers import ContactCard

__all__ = ["ContactCard"]
