"""A webhook is one event, so it is one slice: its conversation, its account, and no key to the session in it."""

from __future__ import annotations

import time
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson

from pipeline.metrics import DELIVERY_GAP
from pipeline.providers.base import Slice, WebhookRequest
from pipeline.providers.waha.accounts import account_of
from pipeline.providers.waha.envelope import envelope, loads
from pipeline.providers.waha.identity import conversation, other_side
from pipeline.tenants import Tenants

_QR = "qr"


def split(provider: str, request: WebhookRequest, tenants: Tenants) -> list[Slice]:
    """The one slice of a webhook: its bytes as they came, unless they hold a login code. Never raises."""
    webhook = loads(request.body)
    if webhook is None:
        account = account_of(provider, "", request, tenants)
        return [Slice(conversation(provider, account, None), account, request.body)]
    enveloped = envelope(webhook)
    _observe_gap(provider, enveloped.at)
    account = account_of(provider, enveloped.session, request, tenants)
    key = conversation(provider, account, other_side(enveloped.payload))
    return [Slice(key, account, _without_login(webhook, request.body))]


def _observe_gap(provider: str, at: datetime | None) -> None:
    """Wawp's advice: watch the gap between the event's timestamp and its arrival."""
    if at is not None:
        DELIVERY_GAP.labels(provider).observe(max(0.0, time.time() - at.timestamp()))


def _without_login(webhook: dict[str, Any], body: bytes) -> bytes:
    """Whoever reads the code of a session's status can link a device to the account: a fingerprint takes its place."""
    if b'"qr"' not in body:
        return body
    try:
        return orjson.dumps(_hidden(webhook))
    except (TypeError, RecursionError):  # nested deeper than can be written: `parse` will refuse it
        return body


def _hidden(node: Any) -> Any:
    if type(node) is list:
        return [_hidden(item) for item in node]
    if type(node) is not dict:
        return node
    return {name: _fingerprint(item) if name == _QR and item else _hidden(item) for name, item in node.items()}


def _fingerprint(secret: object) -> str:
    return "sha256:" + sha256(orjson.dumps(secret)).hexdigest()[:16]
