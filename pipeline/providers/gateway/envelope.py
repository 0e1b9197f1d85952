"""Read the envelope: one event, its session and its time.

    {"id": "evt_…", "timestamp": ms, "session": …, "engine": …, "event": "message", "payload": {…},
     "me": {"id": …, "lid": …, "pushName": …}, "metadata": {…}}

Builds of 2024 have neither id nor timestamp. Before the envelope existed, a session's status came without one:
`{"instance_id": …, "status": "SCAN_QR_CODE", "qr": …, "ts": seconds}`. The code trusts no type.

Sources: Wawp, webhooks overview; WAHA, events.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson

from pipeline import unicode
from pipeline.providers.shared.times import instant

SESSION_STATUS: Final = "session.status"


class WebhookEnvelope(NamedTuple):
    """The envelope of an event.

    Attributes:
        id: the event's id, which is the same on every delivery; empty for builds without one.
        session: WAHA's session name or Wawp's instance id; empty without one.
        timestamp: time of the event; None without one.
        payload: the event's own JSON; empty if it is no object.
    """

    event: str
    id: str
    session: str
    timestamp: datetime | None
    payload: dict[str, Any]
    me: dict[str, Any]


def load_webhook(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object of a body; None if it is none."""
    try:
        webhook = unicode.loads(body)
    except orjson.JSONDecodeError:
        return None
    return webhook if type(webhook) is dict else None


def read_envelope(webhook: dict[str, Any]) -> WebhookEnvelope:
    """Return the envelope of a webhook of any generation."""
    if "event" not in webhook and "payload" not in webhook:
        return _bare_session_status(webhook)
    return WebhookEnvelope(
        _text(webhook.get("event")),
        _text(webhook.get("id")),
        _text(webhook.get("session")),
        instant(webhook.get("timestamp")),
        _object(webhook.get("payload")),
        _object(webhook.get("me")),
    )


def _bare_session_status(webhook: dict[str, Any]) -> WebhookEnvelope:
    event = SESSION_STATUS if "status" in webhook else ""
    return WebhookEnvelope(event, "", _text(webhook.get("instance_id")), instant(webhook.get("ts")), webhook, {})


def _text(value: object) -> str:
    if type(value) is str:
        return value
    return str(value) if type(value) is int else ""


def _object(value: object) -> dict[str, Any]:
    return value if type(value) is dict else {}
