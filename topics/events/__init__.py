"""Events: what happened, provider by provider brought into one form.

`decode` reads a record of `events.<lane>`. The union is discriminated by `kind`; account events (templates, limits,
restrictions) take their place in it when they get models and are `UnknownEvent`s until then. The names that
handlers written for Wappa import are here as well.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError

from pipeline.errors import InvalidRecord
from topics.events.base import EventBase
from topics.events.billing import ConversationWindow, Pricing
from topics.events.context import AdReferral, BusinessContext, ForwardContext, MessageContext
from topics.events.error import ErrorEvent
from topics.events.error_detail import ErrorDetail
from topics.events.message import MessageEvent
from topics.events.messages import Message, TextMessage
from topics.events.names import ConversationType, MessageStatus, MessageType, PlatformType
from topics.events.status import StatusEvent
from topics.events.tenant import TenantBase
from topics.events.unknown import UnknownEvent
from topics.events.user import User
from topics.records import Incoming

Event: TypeAlias = Annotated[MessageEvent | StatusEvent | ErrorEvent | UnknownEvent, Field(discriminator="kind")]

IncomingMessageWebhook = InboundMessageWebhook = MessageEvent
StatusWebhook = StatusEvent
ErrorWebhook = ErrorEvent
UniversalWebhook: TypeAlias = Event
InboxBase = TenantBase
UserBase = User
ErrorDetailBase = ErrorDetail

_EVENT: Final[TypeAdapter[MessageEvent | StatusEvent | ErrorEvent | UnknownEvent]] = TypeAdapter(Event)


def decode(record: Incoming) -> MessageEvent | StatusEvent | ErrorEvent | UnknownEvent:
    """The event of a record. Raises `InvalidRecord`, without quoting what the record holds."""
    try:
        return _EVENT.validate_json(record.value or b"")
    except ValidationError as error:
        raise InvalidRecord(f"not an event: {_first(error)}") from None


def validate(body: dict[str, Any]) -> MessageEvent | StatusEvent | ErrorEvent | UnknownEvent:
    """The event of a `WireEvent`'s body. Raises pydantic's `ValidationError`."""
    return _EVENT.validate_python(body)


def _first(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'top'}: {first['type']}"


__all__ = [
    "AdReferral",
    "BusinessContext",
    "ConversationType",
    "ConversationWindow",
    "ErrorDetail",
    "ErrorDetailBase",
    "ErrorEvent",
    "ErrorWebhook",
    "Event",
    "EventBase",
    "ForwardContext",
    "InboundMessageWebhook",
    "InboxBase",
    "IncomingMessageWebhook",
    "Message",
    "MessageContext",
    "MessageEvent",
    "MessageStatus",
    "MessageType",
    "PlatformType",
    "Pricing",
    "StatusEvent",
    "StatusWebhook",
    "TenantBase",
    "TextMessage",
    "UniversalWebhook",
    "UnknownEvent",
    "User",
    "UserBase",
    "decode",
    "validate",
]
