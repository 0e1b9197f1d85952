"""Whose numbers a Cloud app may speak for."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigurationError
from pipeline.providers.cloud.authenticate import answer_handshake, is_authentic
from pipeline.tenants import Tenants, TenantsFile
from tests.support.cloud_webhooks import merged, signed, text, value, webhook

A1, A2, A_WABA = "101", "102", "190"
B1, B_WABA = "201", "290"
NEW = "999"


def tenants(a: list[str] | None = None, b: list[str] | None = None) -> Tenants:
    """Two tenants, each with an app of its own that lists these accounts."""
    apps = [
        {"id": name, "app_secrets": [name], "verify_token": f"{name}-token", "accounts": listed or []}
        for name, listed in (("app-a", a), ("app-b", b))
    ]
    owned = {"a": [(A1, A_WABA), (A2, A_WABA)], "b": [(B1, B_WABA)]}
    listed = [
        {"id": name, "accounts": [{"provider": "cloud", "id": i, "business_id": w, "token": "t"} for i, w in numbers]}
        for name, numbers in owned.items()
    ]
    return Tenants(TenantsFile.model_validate({"cloud_apps": apps, "tenants": listed}))


def of(number: str, waba: str) -> dict[str, Any]:
    return webhook(value(number, messages=[text("wamid.1")]), waba=waba)


def about(waba: str) -> dict[str, Any]:
    """What names no number."""
    return webhook({"event": "PAUSED"}, field="message_template_status_update", waba=waba)


def opens(body: object, app: str, owners: Tenants) -> bool:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return is_authentic(signed(data, app), owners)


FOREIGN = [of(A1, A_WABA), of(A1, B_WABA), of(NEW, A_WABA), about(A_WABA), merged(of(B1, B_WABA), of(A2, A_WABA))]


@pytest.mark.parametrize("listed", [[A1, A2], [A_WABA]], ids=["numbers", "waba"])
@pytest.mark.parametrize("body", FOREIGN, ids=["number", "disguised", "new number", "waba", "among its own"])
@pytest.mark.parametrize("other", [None, [B1]], ids=["the other lists none", "both list"])
def test_an_apps_secret_does_not_speak_for_what_another_lists(
    body: dict[str, Any], listed: list[str], other: list[str] | None
) -> None:
    """The secret of one tenant's app would let its owner write into another tenant's conversations."""
    owners = tenants(listed, other)
    assert not opens(body, "app-b", owners)
    assert opens(of(A1, A_WABA), "app-a", owners)
    assert opens(of(A2, A_WABA), "app-a", owners)
    assert opens(about(A_WABA), "app-a", owners)
    assert opens(of(B1, B_WABA), "app-b", owners)


def test_an_app_that_lists_speaks_for_nothing_else() -> None:
    """A list would be no limit for the app that has it."""
    owners = tenants([A1])
    assert opens(of(A1, A_WABA), "app-a", owners)
    assert not opens(of(A2, A_WABA), "app-a", owners)
    assert not opens(of(B1, B_WABA), "app-a", owners)
    assert opens(of(A2, A_WABA), "app-b", owners)


def test_a_number_that_is_new_in_a_waba_of_the_app_becomes_a_dead_letter() -> None:
    """A number that Meta knows before the tenants file does would be refused for days, instead of waiting."""
    assert opens(of(NEW, A_WABA), "app-a", tenants([A_WABA]))


@given(st.sampled_from([of(A1, A_WABA), of(B1, B_WABA), about(A_WABA), {}, {"entry": 5}]), st.sampled_from("ab"))
def test_without_lists_each_app_speaks_for_all(body: dict[str, Any], app: str) -> None:
    """An installation that lists nothing would refuse its webhooks after an upgrade."""
    assert opens(body, f"app-{app}", tenants())


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"{}", b'{"entry":[{"id":5,"changes":[5]}]}'])
def test_what_names_nobody_is_taken(body: bytes) -> None:
    """Its provider would send it for a week, and nobody would ever see what it was."""
    assert opens(body, "app-b", tenants([A1]))


def test_the_handshake_of_every_app_stays_its_own() -> None:
    """A listing app's callback URL could not be registered."""
    query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": "app-b-token"}
    assert answer_handshake(query, tenants([A1])) == "1"


def test_what_is_listed_is_somebodys() -> None:
    """A mistyped number would be refused all its webhooks, and nobody would know why."""
    with pytest.raises(ConfigurationError, match="app-a lists 555") as caught:
        tenants([A1, "555"])
    assert len(str(caught.value).splitlines()) == 1
