"""What all events of one webhook share, and the body that each begins with."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias

from pipeline.providers.cloud.envelope import Part
from pipeline.providers.cloud.identity import PROVIDER, conversation
from pipeline.topics.headers import RECEIVED_AT, TRACEPARENT, WEBHOOK_ID
from pipeline.topics.records import Incoming

Body: TypeAlias = dict[str, Any]
"""The JSON of an event; times are aware datetimes, which orjson writes as RFC 3339."""
Delivery: TypeAlias = tuple[str, datetime, str | None]
"""What the ingress knew of the webhook: its id, when it arrived, its trace."""

_LAST_SECOND: Final = 253_402_300_799
"""9999-12-31T23:59:59Z, the last that a datetime can hold."""


def delivery(record: Incoming) -> Delivery:
    """From the record's headers; the record's own time stands in for a missing `received-at`."""
    found = dict(record.headers)
    webhook_id, at, trace = found.get(WEBHOOK_ID) or b"", found.get(RECEIVED_AT), found.get(TRACEPARENT)
    try:
        received_at = datetime.fromtimestamp(int(at or record.timestamp) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        received_at = datetime.now(UTC)
    return webhook_id.decode("utf-8", "replace"), received_at, trace.decode("utf-8", "replace") if trace else None


def begin(part: Part, contact: str | None, raw: Body, delivered: Delivery) -> Body:
    """The envelope of an event. Its kind, its id and what belongs to them follow; its time until then is arrival."""
    change = part[0]
    webhook_id, received_at, traceparent = delivered
    return {
        "provider": PROVIDER,
        "account": change.account,
        "business_id": change.business_id,
        "display_phone_number": change.display_phone_number,
        "conversation": conversation(change.account, contact),
        "contact": contact,
        "webhook_id": webhook_id,
        "timestamp": received_at,
        "received_at": received_at,
        "traceparent": traceparent,
        "raw": raw,
    }


def time_of(part: Part) -> datetime | None:
    """A part's own time, else its entry's: for parts that need not have one."""
    item, entry = part[2], part[0].entry
    own = item.get("timestamp") or _synced(item) if type(item) is dict else None
    return instant(own) or instant(entry.get("time") if type(entry) is dict else None)


def _synced(item: dict[str, Any]) -> Any:
    """Contacts of a number's app have their time one level down."""
    metadata = item.get("metadata")
    return metadata.get("timestamp") if type(metadata) is dict else None


def instant(value: object) -> datetime | None:
    """The time of unix seconds, which most fields give as a string and some as a number; None for anything else."""
    return _instant(value) if type(value) is str or type(value) is int else None


@lru_cache(maxsize=4096)
def _instant(value: str | int) -> datetime | None:
    """Kept, because the messages and statuses of a second all name the same second."""
    if type(value) is str and not (value.isdecimal() and value.isascii() and len(value) <= 12):
        return None
    seconds = int(value)
    return datetime.fromtimestamp(seconds, UTC) if 0 <= seconds <= _LAST_SECOND else None
