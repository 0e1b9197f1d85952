"""Default handlers: they count every event, and log it as their strategy says."""

from __future__ import annotations

from pipeline.handlers.defaults.errors import DefaultErrorHandler
from pipeline.handlers.defaults.factory import DefaultHandlerFactory
from pipeline.handlers.defaults.messages import DefaultMessageHandler
from pipeline.handlers.defaults.statuses import DefaultStatusHandler
from pipeline.handlers.defaults.strategies import ErrorLogStrategy, LogLevel, MessageLogStrategy, StatusLogStrategy
from pipeline.handlers.defaults.system import DefaultSystemHandler

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
