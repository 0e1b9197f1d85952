"""The signature of a POST and the handshake of a GET."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.providers.base import WebhookRequest
from pipeline.providers.cloud.authenticate import answer_handshake, is_authentic
from pipeline.tenants import Tenants, TenantsFile
from tests.support.cloud_webhooks import SECRETS, signature, signed, tenants

BODY = b'{"object":"whatsapp_business_account"}'
TENANTS = tenants()


def _with(header: str) -> WebhookRequest:
    return WebhookRequest(BODY, {"x-hub-signature-256": header}, {})


@pytest.mark.parametrize("secret", SECRETS)
def test_both_secrets_of_an_app_are_accepted(secret: str) -> None:
    """Rotating the app secret would refuse every webhook signed with the other one."""
    assert is_authentic(signed(BODY, secret), TENANTS)


def test_upper_case_hexadecimal_is_accepted() -> None:
    """A proxy that rewrites the signature's case would cut the tenant off."""
    assert is_authentic(_with("sha256=" + signature(BODY).removeprefix("sha256=").upper()), TENANTS)


def test_a_changed_byte_is_refused() -> None:
    """Anybody who has seen one signed webhook could send others with its signature."""
    assert not is_authentic(WebhookRequest(BODY + b" ", {"x-hub-signature-256": signature(BODY)}, {}), TENANTS)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "sha256=",
        "sha1=" + "0" * 64,
        "0" * 64,
        "sha256=" + "0" * 63,
        "sha256=" + "0" * 66,
        "sha256=" + "z" * 64,
        "sha256=" + "é" * 64,
        "sha256=" + "٣" * 64,
        "sha256=" + " 0" * 32,
        "sha256=" + "0" * 64 + ",sha256=" + "0" * 64,
        "sha256=" + "\ud800" * 64,
    ],
)
def test_what_is_no_signature_is_refused(header: str) -> None:
    """A header that makes the comparison raise would be answered 500, which tells a prober that it got far."""
    assert not is_authentic(_with(header), TENANTS)


@given(st.text())
def test_no_header_makes_it_raise(header: str) -> None:
    """Garbage in the header would become 500s and alarms at night."""
    assert not is_authentic(_with(header), TENANTS)
    assert not is_authentic(_with("sha256=" + header), TENANTS)


def test_without_a_header_and_without_secrets_it_is_refused() -> None:
    """An installation without secrets would take anybody's webhooks."""
    assert not is_authentic(WebhookRequest(BODY, {}, {}), TENANTS)
    nobody = Tenants(TenantsFile.model_validate({"tenants": [{"id": "acme"}]}))
    assert not is_authentic(signed(BODY, ""), nobody)


def _query(**changed: str) -> dict[str, str]:
    usual = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "verify-me"}
    return {name: text for name, text in (usual | changed).items() if text}


def test_the_challenge_is_echoed_to_whom_knows_the_token() -> None:
    """Meta would not accept the callback URL."""
    assert answer_handshake(_query(), TENANTS) == "1158201444"


@pytest.mark.parametrize(
    "changed",
    [
        {"hub.verify_token": "verify-you"},
        {"hub.verify_token": ""},
        {"hub.verify_token": "vérify-\udcff"},
        {"hub.mode": "unsubscribe"},
        {"hub.mode": ""},
        {"hub.challenge": ""},
    ],
)
def test_any_other_handshake_is_refused(changed: dict[str, str]) -> None:
    """A stranger could confirm the callback URL of their own app as ours."""
    assert answer_handshake(_query(**changed), TENANTS) is None
