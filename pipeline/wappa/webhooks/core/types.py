"""Names to compare with."""

from pipeline.wappa.schemas.core.types import (
    ConversationType,
    InteractiveType,
    MediaType,
    MessageStatus,
    MessageType,
    PlatformType,
    WebhookType,
)

__all__ = [
    "ConversationType",
    "InteractiveType",
    "MediaType",
    "MessageStatus",
    "MessageType",
    "PlatformType",
    "WebhookType",
]
