"""The envelope: one event, the session that it happened in, and when.

    {"id": "evt_…", "timestamp": ms, "session": …, "engine": …, "event": "message", "payload": {…},
     "me": {"id": …, "lid": …, "pushName": …}, "metadata": {…}}

Builds of 2024 have neither id nor timestamp. Before there was an envelope, the status of a session came bare:
`{"instance_id": …, "status": "SCAN_QR_CODE", "qr": …, "ts": seconds}`. Nothing here trusts a type.

Sources: Wawp, webhooks overview; WAHA, events.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from pipeline import unicode
from pipeline.providers.times import instant

SESSION_STATUS: Final = "session.status"


class Envelope(NamedTuple):
    """What an event comes in.

    Attributes:
        id: of the event, the same on every delivery of it; empty where the build gives none.
        session: WAHA's session name, Wawp's instance id; empty where the body names none.
        at: when the event happened; None where the envelope does not say.
        payload: the event's own JSON; empty where it is no object.
    """

    event: str
    id: str
    session: str
    at: datetime | None
    payload: dict[str, Any]
    me: dict[str, Any]


def loads(body: bytes) -> dict[str, Any] | None:
    """The JSON object that a body is; None if it is none."""
    try:
        webhook = unicode.loads(body)
    except orjson.JSONDecodeError:
        return None
    return webhook if type(webhook) is dict else None


def envelope(webhook: dict[str, Any]) -> Envelope:
    """The envelope of a webhook, of any generation."""
    if "event" not in webhook and "payload" not in webhook:
        return _bare(webhook)
    return Envelope(
        _text(webhook.get("event")),
        _text(webhook.get("id")),
        _text(webhook.get("session")),
        instant(webhook.get("timestamp")),
        _object(webhook.get("payload")),
        _object(webhook.get("me")),
    )


def _bare(webhook: dict[str, Any]) -> Envelope:
    event = SESSION_STATUS if "status" in webhook else ""
    return Envelope(event, "", _text(webhook.get("instance_id")), instant(webhook.get("ts")), webhook, {})


def _text(value: object) -> str:
    if type(value) is str:
        return value
    return str(value) if type(value) is int else ""


def _object(value: object) -> dict[str, Any]:
    return value if type(value) is dict else {}
