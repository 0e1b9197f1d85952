"""Events."""

from pipeline.topics.events import (
    CallWebhook,
    CustomWebhook,
    ErrorWebhook,
    InboundMessageWebhook,
    IncomingMessageWebhook,
    StatusWebhook,
    SystemEventType,
    SystemWebhook,
    UniversalWebhook,
)

__all__ = [
    "CallWebhook",
    "CustomWebhook",
    "ErrorWebhook",
    "InboundMessageWebhook",
    "IncomingMessageWebhook",
    "StatusWebhook",
    "SystemEventType",
    "SystemWebhook",
    "UniversalWebhook",
]
