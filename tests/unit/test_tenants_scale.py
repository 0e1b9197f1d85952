"""A large tenants file: work and memory are counted, so that no machine is too slow for these tests."""

from __future__ import annotations

import gc
import hmac
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from bench.tenants import file
from pipeline.errors import ConfigurationError
from pipeline.ingress.send_headers import ACCOUNT_HEADERS, BadHeaders, account_of
from pipeline.providers import PROVIDERS
from pipeline.providers.base import WebhookRequest
from pipeline.providers.cloud.scope import MAX_TRIED_APPS
from pipeline.providers.gateway.accounts import resolve_account
from pipeline.providers.waha.authenticate import MAX_TRIED_ACCOUNTS
from pipeline.tenants import MAX_STAND_INS, Tenants, TenantsFile, load_tenants
from tests.support.cloud_webhooks import signed
from tests.support.opcodes import count_opcodes

BYTES_PER_ACCOUNT = 2_000
"""100 MB for 50,000 accounts, with everything that is theirs: tenants, indexes, and what loading needs meanwhile."""
OPCODES_PER_ACCOUNT = 2_500
"""Measured: 1,500. PyYAML's pure Python loader alone runs 57,000."""
FEW, MANY = 4, 400


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    place = tmp_path_factory.mktemp("tenants")

    @cache
    def write(tenants: int) -> Path:
        path = place / f"{tenants}.yaml"
        file.write(path, tenants, tenants * file.ACCOUNTS_OF_A_TENANT)
        return path

    return write


@pytest.fixture(scope="module")
def loaded(written: Callable[[int], Path]) -> Callable[[int], Tenants]:
    return cache(lambda tenants: load_tenants(written(tenants), {}))


def test_an_account_takes_at_most_two_kilobytes(written: Callable[[int], Path]) -> None:
    """Fifty thousand accounts would take more than 100 MB in each of the processes, or while they start."""
    path = written(MANY)
    load_tenants(written(FEW), {})
    tracemalloc.start()
    try:
        tenants = load_tenants(path, {})
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(tenants) == MANY
    assert kept <= peak < BYTES_PER_ACCOUNT * MANY * file.ACCOUNTS_OF_A_TENANT


def test_loading_is_a_fixed_amount_of_work_per_account(written: Callable[[int], Path]) -> None:
    """Fifty thousand accounts would take half a minute to load, or a time that grows with their square."""
    few, many = (count_opcodes(partial(load_tenants, written(tenants), {})) for tenants in (10, 40))
    per_account = (many - few) / (30 * file.ACCOUNTS_OF_A_TENANT)
    assert per_account < OPCODES_PER_ACCOUNT


def test_pyyamls_own_loaders_are_not_used(written: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly all of a start would be spent in a loader that is written in Python."""

    def refuse(*_: object) -> None:
        raise AssertionError("a pure Python part of PyYAML was used")

    monkeypatch.setattr(yaml.scanner.Scanner, "fetch_more_tokens", refuse)
    monkeypatch.setattr(yaml.composer.Composer, "compose_node", refuse)
    monkeypatch.setattr(yaml.constructor.SafeConstructor, "construct_mapping", refuse)
    assert len(load_tenants(written(FEW), {})) == FEW


def test_garbage_is_collected_again_after_a_load(written: Callable[[int], Path], tmp_path: Path) -> None:
    """A process would never collect garbage again, also where the file was refused."""
    (tmp_path / "wrong.yaml").write_text("tenants: [{}]")
    load_tenants(written(FEW), {})
    assert gc.isenabled()
    with pytest.raises(ConfigurationError):
        load_tenants(tmp_path / "wrong.yaml", {})
    assert gc.isenabled()
    gc.disable()
    try:
        load_tenants(written(FEW), {})
        assert not gc.isenabled()
    finally:
        gc.enable()


LOOK_UPS: Mapping[str, Callable[[Tenants, int], object]] = {
    "number": lambda tenants, last: tenants.owner("cloud", file.phone_number_id(last)),
    "business": lambda tenants, last: tenants.owner("cloud", file.business_id(last)),
    "account": lambda tenants, last: tenants.account("cloud", file.phone_number_id(last)),
    "nobody's account": lambda tenants, _: tenants.account("cloud", "nobody"),
    "API key": lambda tenants, last: tenants.keyholder(file.api_key(last)),
    "wrong API key": lambda tenants, _: tenants.keyholder(file.api_key(99_999)),
    "weight": lambda tenants, last: tenants.weight(file.tenant_id(last)),
    "lanes": lambda tenants, _: tenants.lanes,
    "candidates": lambda tenants, last: tenants.candidates(file.tenant_id(last), "waha"),
    "stand-ins": lambda tenants, _: tenants.candidates("nobody", "waha"),
    "has session": lambda tenants, last: tenants.has_session("wawp", file.session(last)),
    "resolve": lambda tenants, last: resolve_account("waha", "default", request("waha", last), tenants),
    "named by header": lambda tenants, last: named(tenants, last, file.phone_number_id(last)),
    "named by another's": lambda tenants, last: refused(tenants, last, file.phone_number_id(0)),
}


def request(provider: str, tenant: int, secret: str = "", body: bytes = b"{}") -> WebhookRequest:
    headers = {"x-webhook-signature": secret, "x-webhook-hmac": hmac.new(secret.encode(), body, "sha512").hexdigest()}
    return WebhookRequest(body, headers, {"secret": secret}, file.tenant_id(tenant))


def named(tenants: Tenants, tenant: int, account: str) -> object:
    owner = tenants.get(file.tenant_id(tenant))
    assert owner is not None
    return account_of(asking_for(account), owner, tenants, tuple(PROVIDERS))


@cache
def asking_for(account: str) -> web.Request:
    return make_mocked_request("POST", "/", {ACCOUNT_HEADERS[0]: account})


def refused(tenants: Tenants, tenant: int, account: str) -> None:
    with pytest.raises(BadHeaders, match="no such account"):
        named(tenants, tenant, account)


@pytest.mark.parametrize("name", LOOK_UPS)
def test_a_look_up_is_the_same_work_among_few_and_among_many(loaded: Callable[[int], Tenants], name: str) -> None:
    """Each webhook and send would go through all tenants and accounts of the installation."""
    look_up = LOOK_UPS[name]

    def work(tenants: int) -> int:
        look_up(loaded(tenants), tenants - 1)  # what is made once, such as stand-ins, is made here
        return count_opcodes(lambda: look_up(loaded(tenants), tenants - 1))

    assert abs(work(MANY) - work(FEW)) <= 2


def _gateway_accounts(tenants: int) -> Iterator[tuple[str, int, int]]:
    """Yield provider, tenant and number of gateway accounts, each provider's last one."""
    last: dict[str, tuple[str, int, int]] = {}
    for number in range(tenants * file.ACCOUNTS_OF_A_TENANT):
        if (number // tenants) % 2:
            provider = ("wasender", "wawp", "waha")[number % 3]
            last[provider] = (provider, number % tenants, number)
    yield from last.values()


@pytest.mark.parametrize("provider", ["wasender", "wawp", "waha"])
def test_authentication_is_the_same_work_among_few_and_among_many(
    loaded: Callable[[int], Tenants], provider: str
) -> None:
    """Each webhook would be compared with the sessions of every tenant of its provider."""

    def work(tenants: int) -> int:
        (_, tenant, number) = next(each for each in _gateway_accounts(tenants) if each[0] == provider)
        body = orjson.dumps({"event": "message", "session": file.session(number), "instance_id": file.session(number)})
        webhook, known = request(provider, tenant, file.webhook_secret(number), body), loaded(tenants)
        assert PROVIDERS[provider].authenticate(webhook, known)
        assert not PROVIDERS[provider].authenticate(replace(webhook, tenant_id=file.tenant_id(tenant - 1)), known)
        return count_opcodes(lambda: PROVIDERS[provider].authenticate(webhook, known))

    assert abs(work(MANY + 1) - work(FEW + 1)) <= 60, "0 to 2 secrets of the tenant itself are compared"


def reseller(provider: str, sessions: int, **fields: Any) -> Tenants:
    """Return one tenant with many sessions, each with a secret of its own."""
    accounts = [
        {"provider": provider, "id": f"s{number}", "token": "t", "webhook_secrets": [f"secret-{number:04}"], **fields}
        for number in range(sessions)
    ]
    return Tenants(TenantsFile.model_validate({"tenants": [{"id": file.tenant_id(0), "accounts": accounts}]}))


@pytest.mark.parametrize("provider", ["wasender", "wawp", "waha"])
def test_a_tenant_of_many_sessions_is_not_gone_through(provider: str) -> None:
    """A reseller's webhooks would each be compared with the secrets of all of its sessions."""

    def work(sessions: int) -> int:
        known, last = reseller(provider, sessions), f"s{sessions - 1:04}"
        name = f"s{sessions - 1}"
        body = orjson.dumps({"event": "message", "session": name, "instance_id": name})
        webhook = request(provider, 0, f"secret-{last[1:]}", body)
        assert PROVIDERS[provider].authenticate(webhook, known)
        other = replace(request(provider, 0, "secret-0000", body), body=body)
        assert provider == "wasender" or not PROVIDERS[provider].authenticate(other, known)
        return count_opcodes(lambda: PROVIDERS[provider].authenticate(webhook, known))

    assert work(2_000) <= work(500) <= work(MAX_TRIED_ACCOUNTS + 1)


def test_a_session_that_nobody_has_may_come_with_any_secret_of_the_tenant() -> None:
    """A new session's webhooks would be refused as forged, instead of becoming dead letters that say so."""
    known = reseller("waha", MAX_TRIED_ACCOUNTS + 1)
    body = orjson.dumps({"event": "message", "session": "new"})
    secrets = [f"secret-{number:04}" for number in (0, MAX_TRIED_ACCOUNTS, 99)]
    assert [PROVIDERS["waha"].authenticate(request("waha", 0, each, body), known) for each in secrets] == [1, 1, 0]


def test_sessions_of_one_name_are_all_tried() -> None:
    """Each WAHA server calls its only session `default`: all but one of a tenant's servers would be refused."""
    known = reseller("waha", MAX_TRIED_ACCOUNTS + 1, session="default")
    body = orjson.dumps({"event": "message", "session": "default"})
    secrets = [f"secret-{number:04}" for number in (0, MAX_TRIED_ACCOUNTS, 99)]
    assert [PROVIDERS["waha"].authenticate(request("waha", 0, each, body), known) for each in secrets] == [1, 1, 0]


def test_stand_ins_are_few_however_many_tenants_there_are(loaded: Callable[[int], Tenants]) -> None:
    """The first webhook of a stranger would copy the accounts of all tenants while everybody waits."""
    strangers = [loaded(MANY).candidates(f"stranger-{number}", "waha") for number in range(2_000)]
    assert len({id(each) for each in strangers}) <= MAX_STAND_INS
    assert len({id(each) for each in strangers}) > 1


def apps(count: int, **last: Any) -> Tenants:
    """Return tenants with an app each, which lists their number."""
    cloud_apps = [
        {"id": f"app-{n}", "app_secrets": [f"secret-{n}"], "verify_token": f"token-{n}", "accounts": [f"10{n}"]}
        for n in range(count)
    ]
    cloud_apps[-1] |= last
    owners = [
        {"id": f"t{n}", "accounts": [{"provider": "cloud", "id": f"10{n}", "business_id": f"20{n}", "token": "t"}]}
        for n in range(count)
    ]
    return Tenants(TenantsFile.model_validate({"cloud_apps": cloud_apps, "tenants": owners}))


def webhook_of(number: str, business: str = "1", field: str = "messages") -> bytes:
    value = {"metadata": {"phone_number_id": number}, "messages": [{"id": "x"}]}
    return orjson.dumps({"entry": [{"id": business, "changes": [{"field": field, "value": value}]}]})


def authenticated(body: bytes, secret: str, tenants: Tenants, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, int]:
    """Return the answer, and how many secrets were tried for it."""
    tried: list[bytes] = []
    digest = hmac.digest

    def count(key: bytes, message: bytes, name: str) -> bytes:
        tried.append(key)
        return digest(key, message, name)

    webhook = signed(body, secret)
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.providers.cloud.authenticate.hmac.digest", count)
        return PROVIDERS["cloud"].authenticate(webhook, tenants), len(tried)


def test_of_many_apps_only_those_are_tried_that_may_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an app for each tenant, each webhook would be signed with the secrets of all of them."""
    many = apps(100)
    assert authenticated(webhook_of("1042", "2042"), "secret-42", many, monkeypatch) == (True, 1)
    assert authenticated(webhook_of("1042", "2042"), "secret-41", many, monkeypatch) == (False, 1)
    assert authenticated(webhook_of("new", "2042"), "secret-42", many, monkeypatch) == (True, 1)
    assert authenticated(webhook_of("nobody", "nobody"), "secret-42", many, monkeypatch) == (False, 1)


def test_an_app_that_lists_nothing_is_tried_for_what_no_app_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """The platform's own app would not be let in for its numbers, once tenants bring theirs."""
    many = apps(100, accounts=[])
    assert authenticated(webhook_of("1099", "2099"), "secret-99", many, monkeypatch) == (True, 1)
    assert authenticated(webhook_of("1098", "2098"), "secret-99", many, monkeypatch) == (False, 1)
    assert authenticated(webhook_of("unknown", "unknown"), "secret-99", many, monkeypatch) == (True, 1)


@pytest.mark.parametrize("body", [b"no JSON", b"{}", b'{"entry": [{"changes": [{"field": "x", "value": {}}]}]}'])
def test_what_names_no_account_may_be_of_any_app(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """An authentic webhook that can't be read would be refused instead of becoming a dead letter."""
    many = apps(MAX_TRIED_APPS + 1)
    assert authenticated(body, f"secret-{MAX_TRIED_APPS}", many, monkeypatch)[0]


def test_few_apps_are_all_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual webhook would be read before its signature is known, and time would tell whose a number is."""
    few = apps(MAX_TRIED_APPS)
    assert authenticated(webhook_of("101", "201"), "secret-1", few, monkeypatch) == (True, MAX_TRIED_APPS)
