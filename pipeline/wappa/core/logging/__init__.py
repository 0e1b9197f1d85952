"""Loggers: the pipeline's, with event, tenant and conversation on every line."""

from pipeline.wappa.core.logging.logger import ContextLogger, get_app_logger, get_logger

__all__ = ["ContextLogger", "get_app_logger", "get_logger"]
