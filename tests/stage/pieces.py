"""What the stages' tests share: hand-made events, tenants, and raw records of the Cloud API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from pipeline.runtime import Stage, StageContext
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import TestRecord
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.records import ConsumedRecord, Header, Record

NUMBER, OTHER_NUMBER, WABA = "106540352242922", "106540352242999", "102290129340398"
HEADERS: tuple[Header, ...] = (
    ("webhook-id", b"webhook-1"),
    ("provider", b"cloud"),
    ("account", NUMBER.encode()),
    ("received-at", b"1760000000500"),
    ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
)


def tenants(**lanes: str) -> Tenants:
    """Tenants, each on its lane, that own `NUMBER` and `OTHER_NUMBER` in this order."""
    numbers = (NUMBER, OTHER_NUMBER)
    listed = [
        {"id": name, "lane": lane, "accounts": [_account(number)]}
        for (name, lane), number in zip(lanes.items(), numbers, strict=False)
    ]
    return Tenants(TenantsFile.model_validate({"tenants": listed}))


def _account(number: str) -> dict[str, str]:
    business = WABA if number == NUMBER else f"{WABA}-2"
    return {"provider": "cloud", "id": number, "business_id": business, "token": "t"}


def event(number: int, *, contact: str = "15550001111", account: str = NUMBER, **more: Any) -> ParsedEvent:
    """An event as `parse` makes it, as far as the stages behind it look."""
    named = {"event_id": f"e-{number}", "conversation": f"cloud:{account}:{contact}"}
    kind = {"kind": "message", "event_type": "message.text"}
    return ParsedEvent.of({"provider": "cloud", "account": account} | named | kind | more)


def carrying(*events: ParsedEvent, offset: int = 0) -> TestRecord:
    """A raw record that `unpack` turns into these events."""
    value = orjson.dumps([each.body for each in events])
    return TestRecord(value, b"cloud:key", HEADERS, "webhooks.raw", offset=offset)


def _unpack(record: ConsumedRecord, _: StageContext) -> Iterable[ParsedEvent]:
    return [ParsedEvent.of(body) for body in orjson.loads(record.value or b"")]


def _pack(found: ParsedEvent, _: StageContext) -> Iterable[Record]:
    return (Record("forwarded", found.conversation.encode(), found.event_id.encode()),)


UNPACK = Stage("unpack", _unpack)
"""Stands where `parse` does."""
PACK = Stage("pack", _pack)
"""Stands where `route` does: the record's value is the event's id."""


def raw(body: object, *, offset: int = 0, headers: tuple[Header, ...] = HEADERS) -> TestRecord:
    """A record of `webhooks.raw`."""
    value = body if isinstance(body, bytes) else orjson.dumps(body)
    return TestRecord(value, f"cloud:{NUMBER}:15550001111".encode(), headers, "webhooks.raw", offset=offset)


def values(records: Iterable[Record]) -> list[bytes]:
    return [record.value for record in records]
