"""Split a webhook: it is one event, so it is one slice, without the login code of its session."""

from __future__ import annotations

import time
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson

from pipeline.metrics import DELIVERY_GAP
from pipeline.providers.base import Slice, WebhookRequest
from pipeline.providers.gateway.accounts import resolve_account
from pipeline.providers.gateway.envelope import load_webhook, read_envelope
from pipeline.providers.gateway.identity import resolve_contact
from pipeline.providers.shared.event_body import partition_key
from pipeline.tenants import Tenants

_QR = "qr"


def split_webhook(provider: str, request: WebhookRequest, tenants: Tenants) -> list[Slice]:
    """Return the one slice of a webhook, with its untouched bytes unless they contain a login code. Never raises."""
    webhook = load_webhook(request.body)
    if webhook is None:
        account = resolve_account(provider, "", request, tenants)
        return [Slice(partition_key(provider, account, None), account, request.body)]
    envelope = read_envelope(webhook)
    _observe_gap(provider, envelope.timestamp)
    account = resolve_account(provider, envelope.session, request, tenants)
    key = partition_key(provider, account, resolve_contact(envelope.payload))
    return [Slice(key, account, _hide_login_code(webhook, request.body))]


def _observe_gap(provider: str, at: datetime | None) -> None:
    """Measure the time between the event's timestamp and its arrival, which Wawp advises to watch."""
    if at is not None:
        DELIVERY_GAP.labels(provider).observe(max(0.0, time.time() - at.timestamp()))


def _hide_login_code(webhook: dict[str, Any], body: bytes) -> bytes:
    """Replace the login code with a fingerprint, because it allows to link a device to the account."""
    if b'"qr"' not in body:
        return body
    try:
        return orjson.dumps(_replace_codes(webhook))
    except (TypeError, RecursionError):  # nested deeper than can be written: `parse` will refuse it
        return body


def _replace_codes(node: Any) -> Any:
    if type(node) is list:
        return [_replace_codes(item) for item in node]
    if type(node) is not dict:
        return node
    return {name: _fingerprint(item) if name == _QR and item else _replace_codes(item) for name, item in node.items()}


def _fingerprint(secret: object) -> str:
    return "sha256:" + sha256(orjson.dumps(secret)).hexdigest()[:16]
