"""Names to compare with."""

from topics.events import (
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
