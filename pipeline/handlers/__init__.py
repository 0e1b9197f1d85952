"""What a business handler is given: base class, messenger, caches, and the unit of work around one event."""

from __future__ import annotations

from pipeline.handlers.base import DependencyStatus, EventHandler, WappaEventHandler
from pipeline.handlers.messenger import IMessenger
from pipeline.handlers.results import MessageResult, SendResult
from pipeline.handlers.runner import HandlerRunner

__all__ = [
    "DependencyStatus",
    "EventHandler",
    "HandlerRunner",
    "IMessenger",
    "MessageResult",
    "SendResult",
    "WappaEventHandler",
]
