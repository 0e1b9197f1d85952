"""`get_logger(__name__)`: takes a message and key-value pairs; secrets and message texts are redacted."""

from __future__ import annotations

from structlog.stdlib import BoundLogger

from pipeline.logging import get_logger

ContextLogger = BoundLogger


def get_app_logger() -> ContextLogger:
    """The logger of the application itself."""
    return get_logger("app")


__all__ = ["ContextLogger", "get_app_logger", "get_logger"]
