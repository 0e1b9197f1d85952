"""Parse a slice of a webhook into its events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

from pipeline.providers.cloud.accounts import account_event
from pipeline.providers.cloud.contacts import Contact
from pipeline.providers.cloud.envelope import Part, list_parts
from pipeline.providers.cloud.extraction import PartExtractor
from pipeline.providers.cloud.fast_path import parse_fast
from pipeline.providers.cloud.identity import PROVIDER, resolve_contact
from pipeline.providers.cloud.messages import message_event
from pipeline.providers.cloud.statuses import status_event
from pipeline.providers.cloud.unknown import error_event, unknown_event
from pipeline.providers.shared.event_body import WebhookMeta, base_event, webhook_meta
from pipeline.providers.shared.loading import load_object
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.records import ConsumedRecord
from pipeline.topics.types import Json

_Builder: TypeAlias = Callable[[Part, Contact | None, Json], bool]

_BUILDERS: Final[dict[str, _Builder]] = {"messages": message_event, "statuses": status_event}
"""Builders for the lists of the field `messages`. In other fields the same names have other meanings."""


def parse_record(record: ConsumedRecord) -> Iterable[ParsedEvent]:
    """Return every message, status, error and other part of every change of every entry, in order, as events.

    Ids are the same on every delivery, even if Meta batches the parts differently. A malformed part becomes an unknown
    event. Raises `InvalidRecord` if the bytes are no JSON object, `OversizeRecord` for more parts than any webhook has.
    """
    content = record.value or b""
    meta = webhook_meta(record)
    event = parse_fast(content, meta)
    return (event,) if event is not None else parse_any(load_object(content), meta)


def parse_any(webhook: dict[str, Any], meta: WebhookMeta) -> Iterable[ParsedEvent]:
    """Return the events of a webhook of any form. Several events are built one by one."""
    found = list_parts(webhook)
    return (_build_event(found[0], webhook, meta),) if len(found) == 1 else _parse_parts(webhook, found, meta)


def _parse_parts(webhook: dict[str, Any], found: list[Part], meta: WebhookMeta) -> Iterator[ParsedEvent]:
    envelopes = PartExtractor(webhook, found)
    for part in found:
        yield _build_event(part, envelopes.extract_parts((part,)), meta)


def _build_event(part: Part, raw: Json, meta: WebhookMeta) -> ParsedEvent:
    key, contact = resolve_contact(part)
    body = _base_event(part, key, raw, meta)
    if not _event_builder(part)(part, contact, body):
        body = _base_event(part, key, raw, meta)
        unknown_event(part, contact, body)
    return ParsedEvent.of(body)


def _base_event(part: Part, contact: str | None, raw: Json, meta: WebhookMeta) -> Json:
    change = part[0]
    return base_event(
        PROVIDER,
        change.account,
        contact,
        raw,
        meta,
        business_id=change.business_id,
        display_phone_number=change.display_phone_number,
    )


def _event_builder(part: Part) -> _Builder:
    change, name, _ = part
    if name == "errors":
        return error_event
    return _BUILDERS.get(name or "", account_event) if change.field == "messages" else account_event
