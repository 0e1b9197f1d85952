"""The base class of handlers, and what counts and logs beside it."""

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
