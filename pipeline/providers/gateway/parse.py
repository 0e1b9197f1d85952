"""Parse a webhook into its event. WAHA and Wawp differ in the provider's name only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline.providers.gateway.account_events import account_event
from pipeline.providers.gateway.envelope import read_envelope
from pipeline.providers.gateway.event_source import GatewayEventSource, base_event, event_source
from pipeline.providers.gateway.messages import message_event
from pipeline.providers.gateway.statuses import status_event
from pipeline.providers.gateway.unknown import unknown_event
from pipeline.providers.shared.event_body import webhook_meta
from pipeline.providers.shared.loading import load_object
from pipeline.topics import headers
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.records import ConsumedRecord, header
from pipeline.topics.types import Json


def parse_record(provider: str, record: ConsumedRecord) -> Iterable[ParsedEvent]:
    """Return the event of a webhook; an unknown event without a model.

    Raises `InvalidRecord` if the bytes are no JSON object.
    """
    webhook = load_object(record.value or b"")
    envelope = read_envelope(webhook)
    account = header(record.headers, headers.ACCOUNT) or envelope.session
    source = event_source(provider, account, envelope, webhook, webhook_meta(record))
    body = _build_event(source)
    return (ParsedEvent.of(body),)


def _build_event(source: GatewayEventSource) -> Json:
    for build in _BUILDERS:
        body = base_event(source)
        if build(source, body):
            return body
    body = base_event(source)
    unknown_event(source, body)
    return body


_BUILDERS: Final = (status_event, message_event, account_event)
"""Builders, each for the event names that it knows. An event that none of them builds is unknown."""
