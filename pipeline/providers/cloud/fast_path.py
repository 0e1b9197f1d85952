"""Parse the most common webhook fast: exactly one text message or one status of one person.

Nearly all traffic has this form, and `parse_any`, which reads any number of parts of any kind, costs three times as
much. This module reads exactly one form, in C, and returns None for anything else: an additional field, a missing one,
or one of another type. `tests/unit/providers/cloud/test_cloud_fast_path.py` checks with generated webhooks that both
ways give the same event.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from pipeline.providers.cloud.identity import PROVIDER
from pipeline.providers.cloud.times import unix_time
from pipeline.providers.shared.event_body import WebhookMeta
from pipeline.topics.callback_data import callback_fields
from pipeline.topics.events.wire import ParsedEvent, Payload

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
    business_opaque_data: str | UnsetType = UNSET
    sent_at: datetime | UnsetType = UNSET
    campaign: str | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    pricing: _Pricing | UnsetType


_MAX_BYTES: Final = 256 * 1024
"""Maximum size of a webhook in bytes. A larger event must hold each piece once (`pipeline.topics.events.once`)."""
_decode: Final = msgspec.json.Decoder(_Webhook).decode


def parse_fast(content: bytes, meta: WebhookMeta) -> ParsedEvent | None:
    """Return the event of a webhook of the common form; None for anything else."""
    if len(content) > _MAX_BYTES:
        return None
    try:
        webhook = _decode(content)
    except (msgspec.MsgspecError, ValueError):  # of another form; not UTF-8
        return None
    (entry,) = webhook.entry
    value = entry.changes[0].value
    if value.messages is not UNSET:
        return _message(value.messages[0], entry.id, value, content, meta)
    if value.statuses is not UNSET:
        return _status(value.statuses[0], entry.id, value, content, meta)
    return None


def _message(item: _Message, business: str, value: _Value, content: bytes, meta: WebhookMeta) -> ParsedEvent | None:
    user, at = _user(item, value), unix_time(item.timestamp)
    if user is None or at is None or value.statuses is not UNSET or not _is_phone(item.sender):
        return None
    account, chat = value.metadata.phone_number_id, user.bsuid or item.sender
    conversation, event_id = f"cloud:{account}:{chat}", f"cloud:{account}:{item.id}"
    payload = _MessageEvent(
        account=account,
        business_id=business,
        display_phone_number=value.metadata.display_phone_number,
        conversation=conversation,
        contact=chat,
        webhook_id=meta.webhook_id,
        timestamp=at,
        received_at=meta.received_at,
        traceparent=meta.traceparent,
        raw=Raw(content),
        event_id=event_id,
        user=user,
        message=item,
    )
    return ParsedEvent(event_id, "message", conversation, PROVIDER, account, payload)


def _user(item: _Message, value: _Value) -> _User | None:
    """Return the sender, with or without business-scoped id and username; None if the contact does not fit."""
    if value.contacts is UNSET:
        return None
    (contact,) = value.contacts
    profile, user_id = contact.profile, contact.user_id
    if contact.wa_id != item.sender or user_id != item.from_user_id:
        return None
    return _User(profile.name, item.sender, user_id, profile.username)


def _status(item: _Status, business: str, value: _Value, content: bytes, meta: WebhookMeta) -> ParsedEvent | None:
    recipient, at = item.recipient_id, unix_time(item.timestamp)
    if at is None or value.contacts is not UNSET or not _is_phone(recipient):
        return None
    account = value.metadata.phone_number_id
    conversation, event_id = f"cloud:{account}:{recipient}", f"cloud:{account}:{item.id}:{item.status}:{recipient}"
    payload = _StatusEvent(
        account=account,
        business_id=business,
        display_phone_number=value.metadata.display_phone_number,
        conversation=conversation,
        contact=recipient,
        webhook_id=meta.webhook_id,
        timestamp=at,
        received_at=meta.received_at,
        traceparent=meta.traceparent,
        raw=Raw(content),
        event_type=f"status.{item.status}",
        event_id=event_id,
        message_id=item.id,
        status=item.status,
        recipient_phone_id=recipient,
        pricing=item.pricing,
        **_callback_fields(item.biz_opaque_callback_data),
    )
    return ParsedEvent(event_id, "status", conversation, PROVIDER, account, payload)


def _callback_fields(data: str | UnsetType) -> dict[str, Any]:
    return {} if data is UNSET else callback_fields(data) or {"business_opaque_data": data}


def _is_phone(text: str) -> bool:
    return text.isdecimal() and text.isascii()
