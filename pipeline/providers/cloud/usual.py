"""The usual webhook, made into its event in one go: one text message or one status of one person.

Nearly all traffic has this form, and the general way (`parse`) costs three times as much for it: it looks for any
number of parts of any kind. This reads exactly one form, in C, and gives up, with None, at anything else: a field more,
one less, or one of another type. That both ways come to the same event is a property that
`tests/unit/providers/cloud/test_cloud_usual.py` holds over generated webhooks.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from pipeline.providers.cloud.identity import PROVIDER
from pipeline.providers.cloud.wire import Delivery, instant
from pipeline.topics.events.wire import Payload, WireEvent

_Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]
_Maybe: TypeAlias = _Text | UnsetType


class _Part(Struct, forbid_unknown_fields=True, gc=False):
    """A part of the webhook that has these fields and no others."""


class _Profile(_Part):
    name: _Text
    username: _Maybe = UNSET


class _Contact(_Part):
    profile: _Profile
    wa_id: _Text
    user_id: _Maybe = UNSET


class _Content(_Part):
    body: str


class _Message(_Part, rename={"sender": "from"}):
    sender: _Text
    id: _Text
    timestamp: _Text
    text: _Content
    type: Literal["text"]
    from_user_id: _Maybe = UNSET


class _Pricing(_Part):
    billable: bool
    pricing_model: _Text
    type: _Text
    category: _Text


class _Status(_Part):
    id: _Text
    status: _Text
    timestamp: _Text
    recipient_id: _Text
    biz_opaque_callback_data: str | UnsetType = UNSET
    pricing: _Pricing | UnsetType = UNSET


class _Metadata(_Part):
    display_phone_number: _Text
    phone_number_id: _Text


class _Value(_Part):
    messaging_product: _Text
    metadata: _Metadata
    contacts: tuple[_Contact] | UnsetType = UNSET
    messages: tuple[_Message] | UnsetType = UNSET
    statuses: tuple[_Status] | UnsetType = UNSET


class _Change(_Part):
    value: _Value
    field: Literal["messages"]


class _Entry(_Part):
    id: _Text
    changes: tuple[_Change]


class _Webhook(_Part):
    object: _Text
    entry: tuple[_Entry]


class _User(Struct, gc=False):
    profile_name: str
    phone_number: str
    bsuid: str | UnsetType = UNSET
    username: str | UnsetType = UNSET


class _Event(Payload, kw_only=True):
    provider: str = PROVIDER
    account: str
    business_id: str
    display_phone_number: str
    conversation: str
    contact: str
    webhook_id: str
    timestamp: datetime
    received_at: datetime
    traceparent: str | None
    raw: Raw
    event_id: str


class _MessageEvent(_Event, kw_only=True):
    kind: str = "message"
    event_type: str = "message.text"
    user: _User
    message: _Message


class _StatusEvent(_Event, kw_only=True):
    kind: str = "status"
    event_type: str
    message_id: str
    status: str
    recipient_phone_id: str
    business_opaque_data: str | UnsetType
    pricing: _Pricing | UnsetType


_LARGEST: Final = 256 * 1024
"""Bytes of a webhook whose event is small enough to be written in full."""
_decode: Final = msgspec.json.Decoder(_Webhook).decode


def usual(content: bytes, delivered: Delivery) -> WireEvent | None:
    """The event of a webhook of the usual form; None for any other, and for what is no JSON."""
    if len(content) > _LARGEST:
        return None
    try:
        webhook = _decode(content)
    except (msgspec.MsgspecError, ValueError):  # of another form; not UTF-8
        return None
    (entry,) = webhook.entry
    value = entry.changes[0].value
    if value.messages is not UNSET:
        return _message(value.messages[0], entry.id, value, content, delivered)
    if value.statuses is not UNSET:
        return _status(value.statuses[0], entry.id, value, content, delivered)
    return None


def _message(item: _Message, business: str, value: _Value, content: bytes, delivered: Delivery) -> WireEvent | None:
    user, at = _user(item, value), instant(item.timestamp)
    if user is None or at is None or value.statuses is not UNSET or not _is_phone(item.sender):
        return None
    account, chat = value.metadata.phone_number_id, user.bsuid or item.sender
    webhook_id, received_at, traceparent = delivered
    conversation, event_id = f"cloud:{account}:{chat}", f"cloud:{account}:{item.id}"
    form = _MessageEvent(
        account=account,
        business_id=business,
        display_phone_number=value.metadata.display_phone_number,
        conversation=conversation,
        contact=chat,
        webhook_id=webhook_id,
        timestamp=at,
        received_at=received_at,
        traceparent=traceparent,
        raw=Raw(content),
        event_id=event_id,
        user=user,
        message=item,
    )
    return WireEvent(event_id, "message", conversation, PROVIDER, account, form)


def _user(item: _Message, value: _Value) -> _User | None:
    """Who wrote it, with or without a business-scoped id and a username. None: something else is there."""
    if value.contacts is UNSET:
        return None
    (contact,) = value.contacts
    profile, user_id = contact.profile, contact.user_id
    if contact.wa_id != item.sender or user_id != item.from_user_id:
        return None
    return _User(profile.name, item.sender, user_id, profile.username)


def _status(item: _Status, business: str, value: _Value, content: bytes, delivered: Delivery) -> WireEvent | None:
    recipient, at = item.recipient_id, instant(item.timestamp)
    if at is None or value.contacts is not UNSET or not _is_phone(recipient):
        return None
    account = value.metadata.phone_number_id
    webhook_id, received_at, traceparent = delivered
    conversation, event_id = f"cloud:{account}:{recipient}", f"cloud:{account}:{item.id}:{item.status}:{recipient}"
    form = _StatusEvent(
        account=account,
        business_id=business,
        display_phone_number=value.metadata.display_phone_number,
        conversation=conversation,
        contact=recipient,
        webhook_id=webhook_id,
        timestamp=at,
        received_at=received_at,
        traceparent=traceparent,
        raw=Raw(content),
        event_type=f"status.{item.status}",
        event_id=event_id,
        message_id=item.id,
        status=item.status,
        recipient_phone_id=recipient,
        business_opaque_data=item.biz_opaque_callback_data,
        pricing=item.pricing,
    )
    return WireEvent(event_id, "status", conversation, PROVIDER, account, form)


def _is_phone(text: str) -> bool:
    return text.isdecimal() and text.isascii()
