"""What account events say, a model for each type.

Shapes: Cloud API, "Other webhook fields"; gateways' events of the same meaning are brought into the same shape. Every
field may be missing, and unknown ones are kept: these are views for reading, nothing is refused for not fitting.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pipeline.topics.events.account_types import AccountEventType as Type
from pipeline.topics.events.details.account import (
    AccountAlert,
    AccountChange,
    AccountReview,
    AccountUpdate,
    Capability,
    PhoneNumberName,
    PhoneNumberQuality,
    SecurityChange,
    UsernameUpdate,
)
from pipeline.topics.events.details.automation import AutomaticEvent, FlowUpdate, Handover
from pipeline.topics.events.details.base import AccountEventDetail
from pipeline.topics.events.details.calls import Call, CallStatus
from pipeline.topics.events.details.chats import ChatChange, ContactChange, EventResponse, LabelChange, PollResults
from pipeline.topics.events.details.groups import GroupChange, GroupParticipant
from pipeline.topics.events.details.history import History, HistoryThread
from pipeline.topics.events.details.sessions import SessionQr, SessionStatus
from pipeline.topics.events.details.templates import (
    TemplateCategory,
    TemplateComponents,
    TemplateQuality,
    TemplateStatus,
)
from pipeline.topics.events.details.users import Presence, UserAction, UserIdChange, UserPreference
from pipeline.topics.events.lenient import model_of

DETAILS: Final[Mapping[str, type[AccountEventDetail]]] = MappingProxyType(
    {
        Type.TEMPLATE_STATUS: TemplateStatus,
        Type.TEMPLATE_QUALITY: TemplateQuality,
        Type.TEMPLATE_CATEGORY: TemplateCategory,
        Type.TEMPLATE_COMPONENTS: TemplateComponents,
        Type.ACCOUNT_UPDATE: AccountUpdate,
        Type.ACCOUNT_ALERT: AccountAlert,
        Type.ACCOUNT_REVIEW: AccountReview,
        Type.ACCOUNT_CAPABILITY: Capability,
        Type.ACCOUNT_OFFBOARDED: AccountChange,
        Type.ACCOUNT_RECONNECTED: AccountChange,
        Type.ACCOUNT_USERNAME: UsernameUpdate,
        Type.ACCOUNT_SECURITY: SecurityChange,
        Type.PHONE_NUMBER_QUALITY: PhoneNumberQuality,
        Type.PHONE_NUMBER_NAME: PhoneNumberName,
        Type.CALL: Call,
        Type.CALL_STATUS: CallStatus,
        Type.FLOW: FlowUpdate,
        Type.AUTOMATIC_EVENT: AutomaticEvent,
        Type.HANDOVER: Handover,
        Type.USER_PREFERENCE: UserPreference,
        Type.USER_ACTION: UserAction,
        Type.USER_ID: UserIdChange,
        Type.USER_PRESENCE: Presence,
        Type.CONTACT: ContactChange,
        Type.CHAT: ChatChange,
        Type.LABEL: LabelChange,
        Type.GROUP: GroupChange,
        Type.GROUP_PARTICIPANTS: GroupChange,
        Type.GROUP_SETTINGS: GroupChange,
        Type.GROUP_STATUS: GroupChange,
        Type.HISTORY: History,
        Type.SESSION_STATUS: SessionStatus,
        Type.SESSION_QR: SessionQr,
        Type.POLL_RESULTS: PollResults,
        Type.EVENT_RESPONSE: EventResponse,
    }
)
"""The model of each type's `data`. The other types have no documented shape."""


def detail_of(event_type: str, data: dict[str, Any]) -> AccountEventDetail:
    """Return `data` as the model of its type, without leaves that do not fit; a bare detail if the type has none."""
    return model_of(
        DETAILS.get(event_type, AccountEventDetail).model_validate, data
    ) or AccountEventDetail.model_validate(data)


__all__ = [
    "DETAILS",
    "AccountAlert",
    "AccountChange",
    "AccountEventDetail",
    "AccountReview",
    "AccountUpdate",
    "AutomaticEvent",
    "Call",
    "CallStatus",
    "Capability",
    "ChatChange",
    "ContactChange",
    "EventResponse",
    "FlowUpdate",
    "GroupChange",
    "GroupParticipant",
    "Handover",
    "History",
    "HistoryThread",
    "LabelChange",
    "PhoneNumberName",
    "PhoneNumberQuality",
    "PollResults",
    "Presence",
    "SecurityChange",
    "SessionQr",
    "SessionStatus",
    "TemplateCategory",
    "TemplateComponents",
    "TemplateQuality",
    "TemplateStatus",
    "UserAction",
    "UserIdChange",
    "UserPreference",
    "UsernameUpdate",
    "detail_of",
]
