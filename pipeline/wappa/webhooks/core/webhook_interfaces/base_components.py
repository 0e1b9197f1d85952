"""The parts of events."""

from pipeline.topics.events import (
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

__all__ = [
    "AdReferralBase",
    "BusinessContextBase",
    "ConversationBase",
    "ErrorDetailBase",
    "ForwardContextBase",
    "InboxBase",
    "SystemEventDetail",
    "TenantBase",
    "UserBase",
]
