"""The parts of what handlers are given."""

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
