"""Default handlers for the two occasions that everybody has."""

from __future__ import annotations

from pipeline.handlers.defaults.errors import DefaultErrorHandler
from pipeline.handlers.defaults.messages import DefaultMessageHandler
from pipeline.handlers.defaults.statuses import DefaultStatusHandler
from pipeline.handlers.defaults.strategies import LogLevel, MessageLogStrategy, StatusLogStrategy
from pipeline.handlers.defaults.system import DefaultSystemHandler


class DefaultHandlerFactory:
    """Production: what an operator needs to know. Development: all of it, and a masked preview of texts."""

    @staticmethod
    def create_production_message_handler() -> DefaultMessageHandler:
        return DefaultMessageHandler()

    @staticmethod
    def create_development_message_handler() -> DefaultMessageHandler:
        return DefaultMessageHandler(MessageLogStrategy.ALL, content_preview_length=200)

    @staticmethod
    def create_production_status_handler() -> DefaultStatusHandler:
        return DefaultStatusHandler(StatusLogStrategy.FAILURES_ONLY, LogLevel.WARNING)

    @staticmethod
    def create_development_status_handler() -> DefaultStatusHandler:
        return DefaultStatusHandler(StatusLogStrategy.ALL)

    @staticmethod
    def create_production_error_handler() -> DefaultErrorHandler:
        return DefaultErrorHandler(escalation_threshold=3, escalation_window_minutes=5)

    @staticmethod
    def create_development_error_handler() -> DefaultErrorHandler:
        return DefaultErrorHandler(escalation_threshold=10, escalation_window_minutes=15)

    @staticmethod
    def create_production_system_handler() -> DefaultSystemHandler:
        return DefaultSystemHandler()

    @staticmethod
    def create_development_system_handler() -> DefaultSystemHandler:
        return DefaultSystemHandler(LogLevel.DEBUG)
