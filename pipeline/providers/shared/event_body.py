"""The JSON body of an event: the fields that all kinds of events have, and the webhook's metadata in them."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from pipeline.topics.headers import RECEIVED_AT, TRACEPARENT, WEBHOOK_ID
from pipeline.topics.keys import conversation_key
from pipeline.topics.records import ConsumedRecord
from pipeline.topics.types import Json


class WebhookMeta(msgspec.Struct, frozen=True, gc=False):
    """Metadata that the ingress recorded about a webhook. A struct, because a named tuple costs three times as much.

    Attributes:
        received_at: time of arrival.
        traceparent: trace context (W3C); None without a trace.
    """

    webhook_id: str
    received_at: datetime
    traceparent: str | None


def webhook_meta(record: ConsumedRecord) -> WebhookMeta:
    """Read the metadata from the record's headers. Without `received-at` the record's timestamp is used."""
    found = dict(record.headers)
    webhook_id, at, trace = found.get(WEBHOOK_ID) or b"", found.get(RECEIVED_AT), found.get(TRACEPARENT)
    try:
        received_at = datetime.fromtimestamp(int(at or record.timestamp) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        received_at = datetime.now(UTC)
    traceparent = trace.decode("utf-8", "replace") if trace else None
    return WebhookMeta(webhook_id.decode("utf-8", "replace"), received_at, traceparent)


def partition_key(provider: str, account: str, contact: str | None) -> str:
    """Return the conversation's key; the provider's name for a webhook that names no account."""
    return conversation_key(provider, account, contact) if account else provider


def base_event(
    provider: str,
    account: str,
    contact: str | None,
    raw: Json,
    meta: WebhookMeta,
    *,
    timestamp: datetime | None = None,
    **account_fields: str | None,
) -> Json:
    """Return the fields that all kinds of events have. The caller adds `kind`, `event_type`, `event_id` and the rest.

    Times are aware datetimes, which orjson writes as RFC 3339.

    Args:
        contact: the contact's part of the partition key; None for events of the account itself.
        raw: a webhook that contains this event alone.
        timestamp: time of the event; by default its time of arrival.
        account_fields: further fields of the account, e.g. `business_id`.
    """
    return {
        "provider": provider,
        "account": account,
        **account_fields,
        "conversation": partition_key(provider, account, contact),
        "contact": contact,
        "webhook_id": meta.webhook_id,
        "timestamp": timestamp or meta.received_at,
        "received_at": meta.received_at,
        "traceparent": meta.traceparent,
        "raw": raw,
    }
