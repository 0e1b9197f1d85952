"""Names to compare with."""

from pipeline.topics.events import (
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
