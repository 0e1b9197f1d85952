"""The default handlers, which count and log events."""

from pipeline.handlers.defaults import (
    DefaultErrorHandler,
    DefaultHandlerFactory,
    DefaultMessageHandler,
    DefaultStatusHandler,
    DefaultSystemHandler,
    ErrorLogStrategy,
    LogLevel,
    MessageLogStrategy,
    StatusLogStrategy,
)

__all__ = [
    "DefaultErrorHandler",
    "DefaultHandlerFactory",
    "DefaultMessageHandler",
    "DefaultStatusHandler",
    "DefaultSystemHandler",
    "ErrorLogStrategy",
    "LogLevel",
    "MessageLogStrategy",
    "StatusLogStrategy",
]
