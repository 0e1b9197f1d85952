"""A webhook into its event. WAHA's, and everybody's who runs its engines: the provider's name is all that differs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline.providers.cloud.wire import Body, delivery
from pipeline.providers.loading import load
from pipeline.providers.waha.account_events import account_event
from pipeline.providers.waha.envelope import envelope
from pipeline.providers.waha.happening import Happening, begin, happening
from pipeline.providers.waha.messages import message
from pipeline.providers.waha.others import unknown
from pipeline.providers.waha.statuses import status
from pipeline.topics import headers
from pipeline.topics.events.wire import WireEvent
from pipeline.topics.records import Incoming, header


def parse(provider: str, record: Incoming) -> Iterable[WireEvent]:
    """The event of a webhook; one that has no model is an unknown event.

    Raises `InvalidRecord` when the bytes are not JSON or not an object.
    """
    webhook = load(record.value or b"")
    enveloped = envelope(webhook)
    account = header(record.headers, headers.ACCOUNT) or enveloped.session
    found = happening(provider, account, enveloped, webhook, delivery(record))
    body = _body(found)
    return (WireEvent.of(body),)


def _body(found: Happening) -> Body:
    for build in _BUILDERS:
        body = begin(found)
        if build(found, body):
            return body
    body = begin(found)
    unknown(found, body)
    return body


_BUILDERS: Final = (status, message, account_event)
"""What an event may be, each for the names that it knows; what none of them makes is unknown."""
