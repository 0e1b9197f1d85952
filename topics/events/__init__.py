"""Events: things that happened, from all providers in one form.

`decode` reads a record of `events.<lane>`. The union is discriminated by `kind`. The names that handlers written for
Wappa import are here as well.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from pipeline.errors import InvalidRecord
from pipeline.topics.events import messages, raw_pointers
from pipeline.topics.events.account import AccountEvent
from pipeline.topics.events.account_names import SystemEventDetail, SystemEventType
from pipeline.topics.events.account_types import AccountEventType
from pipeline.topics.events.api import APIMessageEvent
from pipeline.topics.events.base import EventBase
from pipeline.topics.events.billing import ConversationBase, ConversationWindow, Pricing
from pipeline.topics.events.context import AdReferral, BusinessContext, ForwardContext, MessageContext
from pipeline.topics.events.details import AccountEventDetail
from pipeline.topics.events.error import ErrorEvent
from pipeline.topics.events.error_detail import ErrorData, ErrorDetail
from pipeline.topics.events.message import MessageEvent
from pipeline.topics.events.messages import *  # noqa: F403 (every message model, listed in its own `__all__`)
from pipeline.topics.events.messages import MessageBase
from pipeline.topics.events.names import (
    ConversationType,
    InteractiveType,
    MediaType,
    MessageStatus,
    MessageType,
    PlatformType,
    WebhookType,
)
from pipeline.topics.events.status import StatusEvent
from pipeline.topics.events.tenant import TenantBase
from pipeline.topics.events.unknown import UnknownEvent
from pipeline.topics.events.user import User
from pipeline.topics.records import ConsumedRecord
from pipeline.topics.versions import require_readable

AnyEvent: TypeAlias = MessageEvent | StatusEvent | ErrorEvent | AccountEvent | APIMessageEvent | UnknownEvent
Event: TypeAlias = Annotated[AnyEvent, Field(discriminator="kind")]

IncomingMessageWebhook = InboundMessageWebhook = MessageEvent
StatusWebhook = StatusEvent
ErrorWebhook = ErrorEvent
SystemWebhook = CallWebhook = AccountEvent
CustomWebhook = UnknownEvent
UniversalWebhook: TypeAlias = Event
BaseMessage = MessageBase
InboxBase = TenantBase
UserBase = User
AdReferralBase, BusinessContextBase, ForwardContextBase = AdReferral, BusinessContext, ForwardContext
ErrorDetailBase = MessageError = ErrorDetail

_EVENT: Final[TypeAdapter[AnyEvent]] = TypeAdapter(Event)
_NEW: Final = "union_tag_invalid"
"""pydantic's error type for a kind of event, or a type of message, that a union does not have."""


def decode(record: ConsumedRecord) -> AnyEvent:
    """Return the event of a record. Raises `InvalidRecord`, without quoting what the record holds, or `NewerRecord`.

    What a newer version wrote (a message of a type that this one has no model for) is an `UnknownEvent`, as it would
    have been if this version had parsed the webhook.
    """
    require_readable(record)
    value = record.value or b""
    try:
        return (
            _EVENT.validate_python(_in_full(value)) if raw_pointers.is_compacted(value) else _EVENT.validate_json(value)
        )
    except ValidationError as error:
        return _newer(value, error)


def validate(body: dict[str, Any]) -> AnyEvent:
    """Return the event of a `ParsedEvent`'s body. Raises pydantic's `ValidationError`."""
    return _EVENT.validate_python(body)


def _in_full(value: bytes) -> Any:
    try:
        return raw_pointers.expand(orjson.loads(value))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise InvalidRecord("not an event: no JSON, or its pointers lead nowhere") from None


def _newer(value: bytes, error: ValidationError) -> UnknownEvent:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    if first["type"] == _NEW:
        try:
            body = raw_pointers.expand(orjson.loads(value))
            return UnknownEvent.model_validate(body | {"kind": "unknown", "part": body.get("message", body)})
        except (ValidationError, orjson.JSONDecodeError):
            pass
    where = ".".join(str(part) for part in first["loc"]) or "top"
    raise InvalidRecord(f"not an event: {where}: {first['type']}") from None


__all__ = [  # noqa: PLE0604 (the messages' own list is one of strings)
    "APIMessageEvent",
    "AccountEvent",
    "AccountEventType",
    "AdReferral",
    "AdReferralBase",
    "AnyEvent",
    "BaseMessage",
    "BusinessContext",
    "BusinessContextBase",
    "CallWebhook",
    "ConversationBase",
    "ConversationType",
    "ConversationWindow",
    "CustomWebhook",
    "AccountEventDetail",
    "ErrorData",
    "ErrorDetail",
    "ErrorDetailBase",
    "ErrorEvent",
    "ErrorWebhook",
    "Event",
    "EventBase",
    "ForwardContext",
    "ForwardContextBase",
    "InboundMessageWebhook",
    "InboxBase",
    "IncomingMessageWebhook",
    "InteractiveType",
    "MediaType",
    "MessageContext",
    "MessageError",
    "MessageEvent",
    "MessageStatus",
    "MessageType",
    "PlatformType",
    "Pricing",
    "StatusEvent",
    "StatusWebhook",
    "SystemEventDetail",
    "SystemEventType",
    "SystemWebhook",
    "TenantBase",
    "UniversalWebhook",
    "UnknownEvent",
    "User",
    "UserBase",
    "WebhookType",
    "decode",
    "validate",
    *messages.__all__,
]
