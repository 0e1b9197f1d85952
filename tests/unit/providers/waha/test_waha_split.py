"""What the ingress keeps of a gateway's webhook, and under which key and account."""

from __future__ import annotations

import time

import orjson
import pytest
from prometheus_client import REGISTRY

from pipeline.providers import PROVIDERS
from pipeline.providers.base import Slice
from tests.support.gateway_webhooks import SESSION, Json, request, tenants, text, webhook

TENANTS = tenants("waha")


def split(content: Json | bytes, **account: object) -> Slice:
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    owners = tenants("waha", **account) if account else TENANTS
    (only,) = PROVIDERS["waha"].split(request("waha", body), owners)
    return only


@pytest.mark.parametrize(
    "content",
    [
        {"instance_id": SESSION, "status": "SCAN_QR_CODE", "qr": "2@login-code", "ts": 1760000000},
        webhook("session.status", {"status": "SCAN_QR_CODE", "data": {"qr": "2@login-code"}}),
        webhook("session.status", {"status": "SCAN_QR_CODE", "statuses": [{"qr": "2@login-code"}]}),
    ],
)
def test_a_login_code_does_not_leave_the_ingress(content: Json) -> None:
    """Whoever may read a topic could link a device to the business' account."""
    kept = split(content)
    assert b"login-code" not in kept.body
    assert kept.body == split(content).body
    assert orjson.loads(kept.body).keys() == content.keys()


@pytest.mark.parametrize("session", ["", "default", None])
def test_a_session_without_a_name_is_the_tenants_only_one(session: str | None) -> None:
    """Everything of a host that calls its only session `default` would be a dead letter."""
    kept = split(webhook("message", text(1), session=session))
    assert (kept.account, kept.key) == (SESSION, f"waha:{SESSION}:15550001111")


def test_two_hosts_may_call_their_sessions_the_same() -> None:
    """A second WAHA could not be connected: each calls its only session `default`."""
    content = webhook("message", text(1), session="default")
    assert split(content, id="host-2", session="default").account == "host-2"


def test_a_session_that_nobody_has_yet_keeps_its_name() -> None:
    """Its messages could not be driven again once the tenant has it."""
    assert split(webhook("message", text(1), session="tomorrow")).account == "tomorrow"


def test_what_can_not_be_read_is_kept_for_the_tenants_account() -> None:
    """Its dead letter would not say whose it is."""
    assert split(b'{"event": ') == Slice(f"waha:{SESSION}", SESSION, b'{"event": ')


def test_the_gap_between_event_and_arrival_is_measured() -> None:
    """Nobody would see that a provider is behind, until it drops events."""

    def total() -> float:
        return REGISTRY.get_sample_value("pipeline_webhook_gap_seconds_sum", {"provider": "waha"}) or 0.0

    before = total()
    split(webhook("message", text(1), timestamp=int((time.time() - 90) * 1000)))
    assert 89 < total() - before < 100
    before = total()
    split(webhook("message", text(1), timestamp=None))
    assert total() == before
