"""The parts of the ingress that need neither HTTP nor a broker."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigurationError
from pipeline.ingress.probes import Probes
from pipeline.ingress.records import MAX_NAME_LENGTH, IngressMetadata, RecordBuilder, webhook_id
from pipeline.ingress.responses import response
from pipeline.ingress.startup_checks import require_secrets, unauthenticated_accounts
from pipeline.ingress.traceparent import traceparent
from pipeline.providers.base import Slice
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.tenants import Tenants, TenantsFile, load_tenants
from pipeline.topics.catalogue import RAW
from tests.support.cloud_webhooks import NUMBER, WABA, tenants

VALID = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _tenants(**account: object) -> Tenants:
    usual = {"provider": "wasender", "id": "session", "token": "t"}
    return Tenants(TenantsFile.model_validate({"tenants": [{"id": "acme", "accounts": [usual | account]}]}))


def test_readiness_says_why_only_a_person_can_help() -> None:
    """Whoever is woken by a red ingress would look for a broker that is well."""
    request = make_mocked_request("GET", "/readyz")

    async def ready(fault: str | None) -> tuple[int, Any]:
        async def unready() -> bool:
            return False

        publisher: Any = SimpleNamespace(misconfiguration=fault, ready=unready)
        response: Any = await Probes(publisher).readyz(request)
        return response.status, orjson.loads(response.body)

    why = "webhooks.raw has 12 partitions"
    assert asyncio.run(ready(why)) == (503, {"status": "not ready", "why": why})
    assert asyncio.run(ready(None)) == (503, {"status": "not ready"})


def test_without_any_secret_there_is_no_door() -> None:
    """An installation that forgot its secrets would answer 401 for days, or worse, 200."""
    with pytest.raises(ConfigurationError, match="app_secrets"):
        require_secrets(_tenants())
    require_secrets(_tenants(webhook_secrets=["s"]))
    require_secrets(tenants())


@pytest.mark.parametrize(
    ("account", "more"),
    [
        ({"webhook_secrets": ["sandbox-wasender-secret"]}, {}),
        ({"webhook_secrets": ["s", "sandbox-wasender-secret"], "base_url": "https://api.example"}, {}),
        ({"webhook_secrets": ["s"]}, {"api_keys": ["sandbox-api-key"]}),
        ({"provider": "cloud"}, {"app_secrets": ["sandbox-app-secret"]}),
        ({"provider": "cloud"}, {"verify_token": "sandbox-verify-token"}),
    ],
)
def test_a_secret_that_everybody_knows_opens_nothing_but_a_sandbox(
    account: dict[str, object], more: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who copies the sample and forgets one of its secrets would take everybody's webhooks for the provider's."""
    monkeypatch.setenv("PIPELINE_SANDBOX_URL", "http://sandbox:8090")

    def owners(**changes: object) -> Tenants:
        made = {"provider": "wasender", "id": "1", "token": "t"} | account | changes
        app = {"id": "app", "app_secrets": ["own"], "verify_token": "own"} | more
        tenant = {"id": "acme", "accounts": [made], "api_keys": app.pop("api_keys", [])}
        return Tenants(TenantsFile.model_validate({"cloud_apps": [app], "tenants": [tenant]}))

    with pytest.raises(ConfigurationError, match="everybody knows") as caught:
        require_secrets(owners())
    assert "sandbox-" not in str(caught.value)
    require_secrets(owners(base_url="http://sandbox:8090"))
    require_secrets(owners(base_url="http://127.0.0.1:9000"))


def test_accounts_without_a_secret_are_named() -> None:
    """Nobody would find out why one tenant's webhooks are refused."""
    assert unauthenticated_accounts(_tenants()) == ["wasender:session"]
    assert unauthenticated_accounts(_tenants(provider="cloud", id="1", webhook_secrets=["s"])) == ["cloud:1"]
    assert unauthenticated_accounts(tenants()) == []


def test_the_sample_opens_every_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pipeline up` would refuse its own sandbox."""
    monkeypatch.setenv("PIPELINE_SANDBOX_URL", "http://127.0.0.1:1")
    assert unauthenticated_accounts(load_tenants(Path(__file__).parents[3] / "examples" / "tenants.yaml")) == []


def test_a_valid_trace_is_continued() -> None:
    """A gateway's trace would end at the door."""
    assert traceparent(VALID) == VALID.encode()


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        VALID.upper(),
        VALID + "\n",
        VALID + "-more",
        "ff" + VALID[2:],
        VALID.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        VALID.replace("b7ad6b7169203331", "0" * 16),
        "x" * 100_000,
    ],
    ids=range(9),
)
def test_any_other_trace_is_made_new(given: str | None) -> None:
    """A caller could write what they like into every record and log line."""
    made = traceparent(given)
    assert traceparent(made.decode()) == made
    assert made != traceparent(given)


@given(st.binary(max_size=100), st.integers(1, 100))
def test_partitions_are_where_kafkas_own_clients_look(key: bytes, partitions: int) -> None:
    """Another client's record of the same conversation would be on another partition."""
    assert 0 <= partition_of(key, partitions) < partitions


def test_partitions_agree_with_the_java_client() -> None:
    """The order of a conversation would end where a Java producer writes to the topic."""
    # org.apache.kafka.common.utils.UtilsTest.testMurmur2
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536, b"abc": 479470107}
    for key, hashed in known.items():
        assert partition_of(key, 2**31) == hashed & 0x7FFFFFFF


METADATA = IngressMetadata("cloud", None, b"wh-1", 1_760_000_000_123, VALID.encode())
SHARED = {"webhook-id": b"wh-1", "received-at": b"1760000000123", "traceparent": VALID.encode(), "provider": b"cloud"}


def test_a_record_says_where_it_comes_from() -> None:
    """Route, the logs and the dead letters would not know whose webhook it is."""
    (record,) = RecordBuilder(tenants()).build([Slice("cloud:1:2", NUMBER, b"{}")], METADATA)
    assert record[:3] == (RAW.name, b"cloud:1:2", b"{}")
    assert dict(record.headers) == SHARED | {"account": NUMBER.encode(), "tenant": b"acme"}


@pytest.mark.parametrize(
    ("account", "more"), [("", {}), ("5", {"account": b"5"}), (WABA, {"account": WABA.encode(), "tenant": b"acme"})]
)
def test_what_is_not_known_is_not_said(account: str, more: dict[str, bytes]) -> None:
    """A webhook of a number that nobody owns yet would be given to somebody, or refused."""
    (record,) = RecordBuilder(tenants()).build([Slice("cloud", account, b"{}")], METADATA)
    assert dict(record.headers) == SHARED | more


def test_names_that_are_too_long_to_be_any_are_left_out() -> None:
    """A webhook that fits would be refused for a week, because its key and its account are on its record once more."""
    endless = "5" * (MAX_NAME_LENGTH + 1)
    (record,) = RecordBuilder(tenants()).build([Slice(f"cloud:{endless}", endless, b"{}")], METADATA)
    assert (record.key, dict(record.headers)) == (b"cloud", SHARED)


def test_the_tenant_of_the_path_stands() -> None:
    """A tenant could be given another one's webhooks by what a body says."""
    (record,) = RecordBuilder(tenants()).build([Slice("k", NUMBER, b"{}")], METADATA._replace(tenant_id="other"))
    assert dict(record.headers)["tenant"] == b"other"


def test_slices_are_numbered_and_share_the_webhooks_id() -> None:
    """Nobody could tell whether all of a webhook is there."""
    slices = [Slice(f"cloud:1:{n}", "1", b"{}") for n in range(3)]
    made = [dict(record.headers) for record in RecordBuilder(tenants()).build(slices, METADATA)]
    assert [headers["slice"] for headers in made] == [b"1/3", b"2/3", b"3/3"]
    assert {headers["webhook-id"] for headers in made} == {b"wh-1"}


def test_the_same_bytes_have_the_same_id() -> None:
    """A redelivery could not be traced to the first."""
    assert webhook_id(b"{}") == webhook_id(b"{}") != webhook_id(b"{ }")


@pytest.mark.parametrize("status", [200, 400, 401, 404, 413, 415, 503])
def test_answers_are_one_line_of_json(status: int) -> None:
    """A provider's console would show a page of HTML, or what the secret should have been."""
    made = response(status)
    assert made.status == status
    assert isinstance(made.body, bytes)
    assert made.body.count(b"\n") == 1
    assert made.content_type == "application/json"
    assert ("Retry-After" in made.headers) is (status == 503)
