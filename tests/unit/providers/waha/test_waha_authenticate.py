"""Who may bring events of a session: the secret, the address and the session in the body have to fit together."""

from __future__ import annotations

import orjson
import pytest

from pipeline.providers import PROVIDERS
from pipeline.providers.base import WebhookRequest
from pipeline.tenants import Tenants, TenantsFile
from tests.support.gateway_webhooks import SECRETS, request, tenants, text, webhook

BOTH = pytest.mark.parametrize("provider", ["wawp", "waha"])
BODY = orjson.dumps(webhook("message", text(1)))


def opens(provider: str, asked: WebhookRequest, **account: object) -> bool:
    return PROVIDERS[provider].authenticate(asked, tenants(provider, **account))


def test_the_providers_own_vector() -> None:
    """Every webhook of a real WAHA would be answered 401."""
    body = b'{"event":"message","session":"default","engine":"WEBJS"}'
    digest = (
        "208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8"
        "097c462b2b17a6ce93b6b47a136cf2e78a33a63f6752c2c1631777076153fa89"
    )
    asked = WebhookRequest(body, {"x-webhook-hmac": digest}, {}, tenant_id="initech")
    assert opens("waha", asked, webhook_secrets=["my-secret-key"])


@BOTH
@pytest.mark.parametrize("ip", ["203.0.113.7", "203.0.113.0/24", "2001:db8::/32"])
def test_the_address_counts_beside_the_secret(provider: str, ip: str) -> None:
    """A secret that has leaked from a log would open the door from anywhere."""
    good = "2001:db8::1" if ":" in ip else "203.0.113.7"
    assert opens(provider, request(provider, BODY, remote=good), allowed_ips=[ip])
    for remote in ("198.51.100.1", "", None, "not an address"):
        assert not opens(provider, request(provider, BODY, remote=remote), allowed_ips=[ip])
    assert not opens(provider, request(provider, BODY, "another secret", remote=good), allowed_ips=[ip])


@BOTH
def test_a_secret_brings_no_events_of_another_tenants_session(provider: str) -> None:
    """Who knows one tenant's secret could write to the customers of another."""
    foreign = orjson.dumps(webhook("message", text(1), session="OTHER_ID"))
    assert not opens(provider, request(provider, foreign))
    unowned = orjson.dumps(webhook("message", text(1), session="tomorrow"))
    assert opens(provider, request(provider, unowned))


@BOTH
def test_each_session_of_a_tenant_has_its_own_secret(provider: str) -> None:
    """The secret of one session would do for all of a company's."""
    accounts = [
        {"provider": provider, "id": name, "webhook_secrets": [f"secret-of-{name}"], "token": "t"}
        for name in ("a", "b")
    ]
    owners = Tenants(TenantsFile.model_validate({"tenants": [{"id": "initech", "accounts": accounts}]}))
    body = orjson.dumps(webhook("message", text(1), session="a"))
    verdicts = [
        PROVIDERS[provider].authenticate(request(provider, body, f"secret-of-{name}"), owners) for name in ("a", "b")
    ]
    assert verdicts == [True, False]


@BOTH
def test_an_unreadable_body_is_taken_with_its_secret_only(provider: str) -> None:
    """What a provider sent in error would be retried for nothing instead of being kept."""
    assert opens(provider, request(provider, b'{"event": '))
    assert not opens(provider, request(provider, b'{"event": ', "wrong"))


@BOTH
def test_an_account_without_a_secret_is_closed(provider: str) -> None:
    """A forgotten secret would let everybody in."""
    assert not opens(provider, request(provider, BODY, ""), webhook_secrets=[])
    assert not opens(provider, request(provider, BODY, SECRETS[0]), webhook_secrets=[])
