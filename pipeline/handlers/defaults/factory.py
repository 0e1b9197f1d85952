"""Default handlers for production and for development."""

from __future__ import annotations

from pipeline.handlers.defaults.errors import DefaultErrorHandler
from pipeline.handlers.defaults.messages import DefaultMessageHandler
from pipeline.handlers.defaults.statuses import DefaultStatusHandler
from pipeline.handlers.defaults.strategies import LogLevel, MessageLogStrategy, StatusLogStrategy
from pipeline.handlers.defaults.system import DefaultSystemHandler


class DefaultHandlerFactory:
    """Makes default handlers.

    In production they log what an operator needs; in development everything, with masked previews.
    """

    @staticmethod
    def create_production_message_handler() -> DefaultMessageHandler:
        """Return a handler that logs a summary of each message."""
        return DefaultMessageHandler()

    @staticmethod
    def create_development_message_handler() -> DefaultMessageHandler:
        """Return a handler that logs each message with a masked preview of its text."""
        return DefaultMessageHandler(MessageLogStrategy.ALL, content_preview_length=200)

    @staticmethod
    def create_production_status_handler() -> DefaultStatusHandler:
        """Return a handler that logs failed statuses."""
        return DefaultStatusHandler(StatusLogStrategy.FAILURES_ONLY, LogLevel.WARNING)

    @staticmethod
    def create_development_status_handler() -> DefaultStatusHandler:
        """Return a handler that logs every status."""
        return DefaultStatusHandler(StatusLogStrategy.ALL)

    @staticmethod
    def create_production_error_handler() -> DefaultErrorHandler:
        """Return a handler that escalates 3 errors within 5 minutes."""
        return DefaultErrorHandler(escalation_threshold=3, escalation_window_minutes=5)

    @staticmethod
    def create_development_error_handler() -> DefaultErrorHandler:
        """Return a handler that escalates 10 errors within 15 minutes."""
        return DefaultErrorHandler(escalation_threshold=10, escalation_window_minutes=15)

    @staticmethod
    def create_production_system_handler() -> DefaultSystemHandler:
        """Return a handler that logs account events at level `info`."""
        return DefaultSystemHandler()

    @staticmethod
    def create_development_system_handler() -> DefaultSystemHandler:
        """Return a handler that logs account events at level `debug`."""
        return DefaultSystemHandler(LogLevel.DEBUG)
