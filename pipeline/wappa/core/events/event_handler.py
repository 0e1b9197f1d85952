"""The base class of handlers."""

from __future__ import annotations

from pipeline.handlers import EventHandler
from pipeline.wappa.core.account import LANGUAGE

__all__ = ["WappaEventHandler"]


class WappaEventHandler(EventHandler):
    """The base class of handlers, whose templates are Spanish where their send names no language, as in Wappa."""

    template_language = LANGUAGE
