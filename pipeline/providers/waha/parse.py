"""A webhook into its event. WAHA's, and everybody's who runs its engines: the provider's name is all that differs."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from pipeline.errors import InvalidRecord
from pipeline.providers.cloud.wire import Body, delivery
from pipeline.providers.waha.envelope import envelope
from pipeline.providers.waha.happening import Happening, begin, happening
from pipeline.providers.waha.identity import chat
from pipeline.providers.waha.messages import BUILDERS, is_ours
from pipeline.providers.waha.others import ECHOES, MESSAGES, STORIES, unknown
from pipeline.providers.waha.statuses import EVENTS, status
from topics import headers
from topics.events.wire import WireEvent
from topics.records import Incoming, header


def parse(provider: str, record: Incoming) -> Iterable[WireEvent]:
    """The event of a webhook; one that has no model is an unknown event.

    Raises `InvalidRecord` when the bytes are not JSON or not an object.
    """
    webhook = _loaded(record.value or b"")
    enveloped = envelope(webhook)
    account = header(record.headers, headers.ACCOUNT) or enveloped.session
    found = happening(provider, account, enveloped, webhook, delivery(record))
    body = _body(found)
    return (WireEvent(body["event_id"], body["kind"], body["conversation"], body),)


def _body(found: Happening) -> Body:
    body = begin(found)
    if found.event in EVENTS:
        if is_ours(found.payload) and status(found, body):
            return body
    elif found.event in BUILDERS:
        name = _aside(found)
        if name is None and BUILDERS[found.event](found, body):
            return body
        return _unknown(found, name)
    return _unknown(found)


def _aside(found: Happening) -> str | None:
    """The name of a message that no user wrote to the business."""
    if is_ours(found.payload):
        return ECHOES if found.event in MESSAGES else found.event
    return STORIES if chat(found.payload) == "status@broadcast" else None


def _unknown(found: Happening, name: str | None = None) -> Body:
    body = begin(found)
    unknown(found, body, name)
    return body


def _loaded(value: bytes) -> Body:
    try:
        webhook = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise InvalidRecord(f"not JSON: {error.msg} at character {error.pos}") from None
    if type(webhook) is not dict:
        raise InvalidRecord(f"not a JSON object: {type(webhook).__name__}")
    if value.count(b"[") > 100 or value.count(b"{") > 100:
        _require_writable(webhook)
    return webhook


def _require_writable(webhook: Body) -> None:
    """An event holds its webhook some levels deeper than it came, and orjson reads deeper than it writes."""
    try:
        orjson.dumps([[[[webhook]]]])
    except TypeError:
        raise InvalidRecord("nested too deeply") from None
