"""The base class of handlers, and the default handlers."""

from pipeline.handlers import WappaEventHandler
from pipeline.wappa.core.events.default_handlers import (
    DefaultErrorHandler,
    DefaultHandlerFactory,
    DefaultMessageHandler,
    DefaultStatusHandler,
    ErrorLogStrategy,
    MessageLogStrategy,
    StatusLogStrategy,
)

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
