"""The base class of handlers, and the default handlers."""

from pipeline.wappa.core.events.default_handlers import (
    DefaultErrorHandler,
    DefaultHandlerFactory,
    DefaultMessageHandler,
    DefaultStatusHandler,
    ErrorLogStrategy,
    MessageLogStrategy,
    StatusLogStrategy,
)
from pipeline.wappa.core.events.event_handler import WappaEventHandler

__all__ = [
    "DefaultErrorHandler",
    "DefaultHandlerFactory",
    "DefaultMessageHandler",
    "DefaultStatusHandler",
    "ErrorLogStrategy",
    "MessageLogStrategy",
    "StatusLogStrategy",
    "WappaEventHandler",
]
