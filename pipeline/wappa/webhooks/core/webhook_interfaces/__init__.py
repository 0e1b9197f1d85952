"""Events and their parts."""

from pipeline.wappa.webhooks.core.webhook_interfaces.base_components import (
    AdReferralBase,
    BusinessContextBase,
    ConversationBase,
    ErrorDetailBase,
    ForwardContextBase,
    InboxBase,
    SystemEventDetail,
    TenantBase,
    UserBase,
)
from pipeline.wappa.webhooks.core.webhook_interfaces.universal_webhooks import (
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
    "AdReferralBase",
    "BusinessContextBase",
    "CallWebhook",
    "ConversationBase",
    "CustomWebhook",
    "ErrorDetailBase",
    "ErrorWebhook",
    "ForwardContextBase",
    "InboundMessageWebhook",
    "InboxBase",
    "IncomingMessageWebhook",
    "StatusWebhook",
    "SystemEventDetail",
    "SystemEventType",
    "SystemWebhook",
    "TenantBase",
    "UniversalWebhook",
    "UserBase",
]
