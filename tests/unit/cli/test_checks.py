"""The doctor's checks that need no service."""

from __future__ import annotations

import asyncio
import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import _checks
from pipeline.cli._checks import CheckState
from pipeline.settings import Settings
from pipeline.tenants import Account, CloudApp, Tenant, Tenants, TenantsFile
from tests.support.ports import free_ports
from tests.support.waiting import HANG

NUMBER = {"provider": "cloud", "id": "1", "token": "t"}
SAMPLE = Path(__file__).parents[3] / "examples/tenants.yaml"


def settings(**changes: Any) -> Settings:
    return Settings(**changes)


def tenants_findings(path: Path, text: str) -> list[_checks.Finding]:
    file = path / "tenants.yaml"
    file.write_text(text)
    return _checks.check_tenants(settings(tenants=file))[0]


def test_the_sample_is_known_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer would be warned of secrets that protect nothing."""
    monkeypatch.setenv("PIPELINE_SANDBOX_URL", "http://127.0.0.1:8090")
    findings, tenants = _checks.check_tenants(settings(tenants=SAMPLE))
    assert [finding.state for finding in findings] == [CheckState.OK, CheckState.OK]
    assert "3 tenants, 4 accounts" in findings[0].text
    assert tenants is not None


def test_without_a_tenants_file_nothing_is_well() -> None:
    """An installation would run on the sample's secrets, which everybody knows, and the doctor would find that good."""
    (finding,), tenants = _checks.check_tenants(settings(tenants=None))
    assert (finding.state, tenants) == (CheckState.WRONG, None)
    assert "PIPELINE_TENANTS is not set" in finding.text


def test_a_broken_tenants_file_is_one_finding(tmp_path: Path) -> None:
    """The other checks would not be shown, or this one would end in a traceback."""
    (finding,) = tenants_findings(tmp_path, "tenants: [{id: a, accounts: [{provider: cloud, id: 1, token: env:NONE}]}]")
    assert finding.state is CheckState.WRONG
    assert "NONE is not set" in finding.text


def test_secrets_in_the_file_are_warned_of_and_not_shown(tmp_path: Path) -> None:
    """Somebody would commit a production token, and the doctor would print it."""
    account = "{provider: wawp, id: 1, token: hush-1, webhook_secrets: [hush-1234567890abcdef]}"
    finding = tenants_findings(tmp_path, f"tenants: [{{id: a, accounts: [{account}]}}]")[1]
    assert finding.state is CheckState.WARNING
    assert finding.text.startswith("2 of them")
    assert "hush" not in finding.text


def test_secrets_from_outside_are_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A careful operator would be warned all the same."""
    monkeypatch.setenv("TOKEN", "0123456789abcdef")
    account = "{provider: wawp, id: 1, token: env:TOKEN, webhook_secrets: [env:TOKEN]}"
    assert tenants_findings(tmp_path, f"tenants: [{{id: a, accounts: [{account}]}}]")[1].state is CheckState.OK


@pytest.mark.parametrize(
    ("field", "tenants"),
    [
        (
            "app_secrets of Cloud app 1",
            "cloud_apps: [{id: 1, app_secrets: [env:GOOD, env:BAD], verify_token: env:GOOD}]\ntenants: []",
        ),
        (
            "verify_token of Cloud app 1",
            "cloud_apps: [{id: 1, app_secrets: [env:GOOD], verify_token: env:BAD}]\ntenants: []",
        ),
        (
            "webhook_secrets of waha account 1",
            "tenants: [{id: a, accounts: [{provider: waha, id: 1, token: env:BAD, webhook_secrets: [env:BAD]}]}]",
        ),
        ("api_keys of tenant a", "tenants: [{id: a, api_keys: [env:BAD]}]"),
    ],
)
@pytest.mark.parametrize("bad", ["x", "fifteen-letters", "aaaaaaaaaaaaaaaaaaaaaaaa"])
def test_a_secret_that_can_be_guessed_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, tenants: str, bad: str
) -> None:
    """A door with a secret of one letter is open, and the doctor had called the set-up well."""
    monkeypatch.setenv("BAD", bad)
    monkeypatch.setenv("GOOD", "0123456789abcdef")
    finding = tenants_findings(tmp_path, tenants)[1]
    assert finding.state is CheckState.WRONG
    assert finding.text.startswith(f"{field}: too short or too simple")
    assert bad == "x" or bad not in finding.text


@pytest.mark.parametrize("model", [CloudApp, Account, Tenant])
def test_every_secret_that_is_written_out_is_found(tmp_path: Path, model: type[CloudApp | Account | Tenant]) -> None:
    """A kind of secret that the doctor does not know would be committed; `api_keys` were."""
    named = {field.name for field in fields(model) if "Secret" in str(field.type)}
    assert named
    assert _checks.secret_fields(model) == named


def test_api_keys_in_the_file_are_warned_of(tmp_path: Path) -> None:
    """Somebody would commit the key that opens the API for sends."""
    finding = tenants_findings(tmp_path, "tenants: [{id: a, api_keys: [hush-1234567890abcdef]}]")[1]
    assert finding.state is CheckState.WARNING
    assert finding.text.startswith("1 of them")


@pytest.mark.parametrize("provider", ["cloud", "wasender", "wawp"])
def test_an_account_whose_webhooks_nothing_authenticates_is_wrong(tmp_path: Path, provider: str) -> None:
    """Every webhook of that account would be answered 401, and nobody would know why."""
    accounts = f"[{{provider: {provider}, id: 1, token: sandbox-x}}]"
    finding = tenants_findings(tmp_path, f"tenants: [{{id: a, accounts: {accounts}}}]")[1]
    assert finding.state is CheckState.WRONG
    assert f"{provider} account 1" in finding.text


DAY = 86_400


@pytest.mark.parametrize(
    ("age", "remembered", "state", "says"),
    [
        (0, 7, CheckState.WARNING, "PIPELINE_MAX_EVENT_AGE=604800"),
        (1, 7, CheckState.WARNING, "PIPELINE_MAX_EVENT_AGE=604800"),
        (7, 7, CheckState.OK, "604800"),
        (7, 14, CheckState.OK, "604800"),
        (14, 7, CheckState.WARNING, "PIPELINE_DEDUP_TTL"),
    ],
)
def test_how_old_a_message_may_be(age: int, remembered: int, state: CheckState, says: str) -> None:
    """Old webhooks could be posted again and act, or a provider's late ones stay unanswered; nobody would be told."""
    tenants = Tenants(TenantsFile.model_validate({"tenants": [{"id": "a", "accounts": [NUMBER]}]}))
    (finding,) = _checks.check_replays(settings(max_event_age=age * DAY, dedup_ttl=remembered * DAY), tenants)
    assert finding.state is state
    assert says in finding.text


def test_in_a_sandbox_any_age_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer would be warned of what can't happen there."""
    monkeypatch.setenv("PIPELINE_SANDBOX_URL", "http://127.0.0.1:8090")
    tenants = _checks.check_tenants(settings(tenants=SAMPLE))[1]
    assert [finding.state for finding in _checks.check_replays(settings(), tenants)] == [CheckState.OK]


def test_of_several_cloud_apps_each_should_list_its_accounts() -> None:
    """One tenant's app could speak for another tenant's number, and nobody would have thought of it."""

    def found(*listed: list[str]) -> list[_checks.Finding]:
        apps = [
            {"id": f"app-{n}", "app_secrets": [f"s{n}"], "verify_token": "v", "accounts": accounts}
            for n, accounts in enumerate(listed)
        ]
        content = {"cloud_apps": apps, "tenants": [{"id": "a", "accounts": [NUMBER]}]}
        return _checks.check_replays(settings(max_event_age=7 * DAY), Tenants(TenantsFile.model_validate(content)))[1:]

    assert found([]) == found(["1"], ["1"]) == []
    (finding,) = found(["1"], [])
    assert (finding.state, finding.name) == (CheckState.WARNING, "apps")
    assert "app-1" in finding.text
    assert "app-0" not in finding.text


def test_handlers_are_imported_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker would be the first to find that a tenant's handler does not exist."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken_handler.py").write_text("raise RuntimeError('first line\\nsecond line')")
    (finding,) = _checks.check_handlers(settings(), None)
    assert finding.state is CheckState.OK
    names = ("no.such.Handler", "collections.OrderedDict", "collections.NoSuch", "plain", "broken_handler.X")
    wrong = Tenants(
        TenantsFile.model_validate({"tenants": [{"id": f"t{n}", "handler": h} for n, h in enumerate(names)]})
    )
    found = {finding.text: finding.state for finding in _checks.check_handlers(settings(), wrong)}
    assert list(found.values()).count(CheckState.WRONG) == len(names)
    for name in names:
        (text,) = [text for text in found if name in text]
        assert len(text.splitlines()) == 1


def test_data_directory_that_can_be_made_is_fine(tmp_path: Path) -> None:
    """A first start would be told to make a directory that the pipeline makes itself."""
    path = tmp_path / "new" / "deep"
    assert _checks.check_data_dir(settings(data_dir=path)).state is CheckState.OK
    assert list(tmp_path.iterdir()) == [], "a check leaves nothing behind"


def test_a_data_directory_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    """Messages would lie open to every user of the machine, and the doctor would call it well."""
    tmp_path.chmod(0o755)
    finding = _checks.check_data_dir(settings(data_dir=tmp_path))
    assert finding.state is CheckState.WARNING
    assert "chmod 700" in finding.text
    tmp_path.chmod(0o700)
    assert _checks.check_data_dir(settings(data_dir=tmp_path)).state is CheckState.OK


def test_data_directory_without_permission_is_wrong() -> None:
    """A worker would be the first to find that its volume belongs to somebody else."""
    finding = _checks.check_data_dir(settings(data_dir=Path("/proc/none")))
    assert finding.state is CheckState.WRONG
    assert "PIPELINE_DATA_DIR" in finding.text


def test_a_file_in_place_of_the_data_directory_is_wrong(tmp_path: Path) -> None:
    """As above, where a volume was mounted as a file."""
    (tmp_path / "file").touch()
    finding = _checks.check_data_dir(settings(data_dir=tmp_path / "file"))
    assert finding.state is CheckState.WRONG


def test_port_free_taken_or_ours() -> None:
    """The ingress would not start, and the doctor had said that all was well; or it runs and is called an intruder."""
    port = free_ports()
    ours = settings(ingress_port=port)
    assert _checks.check_port(ours).state is CheckState.OK
    with socket.create_server(("127.0.0.1", port)):
        assert _checks.check_port(ours).state is CheckState.WRONG
    with _answering(port + 1):
        finding = _checks.check_port(settings(ingress_port=port + 1))
        assert (finding.state, finding.text) == (CheckState.OK, f"runs on port {port + 1}")


@contextmanager
def _answering(port: int) -> Iterator[None]:
    class Healthy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", port), Healthy)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("url", "says"),
    [("redis://:hush@127.0.0.1:{port}/0", "can't use Redis at 127.0.0.1:"), ("http://:hush@cache", "PIPELINE_REDIS")],
)
def test_redis_away_is_said_without_its_password(url: str, says: str) -> None:
    """A screenshot of the doctor in a ticket would carry the password."""
    findings = asyncio.run(_checks.check_redis(settings(redis=url.format(port=free_ports()))))
    assert [finding.state for finding in findings] == [CheckState.WRONG, CheckState.SKIPPED]
    assert says in findings[0].text
    assert "hush" not in findings[0].text


@pytest.mark.parametrize("cache", ["json", "memory"])
def test_redis_is_left_alone_where_no_cache_is_in_it(cache: str) -> None:
    """Whoever has no Redis and needs none would be told that something is wrong, with exit status 1."""
    findings = asyncio.run(_checks.check_redis(settings(cache=cache, redis=f"redis://127.0.0.1:{free_ports()}")))
    assert [finding.state for finding in findings] == [CheckState.SKIPPED, CheckState.SKIPPED]
    assert cache in findings[0].text


def test_services_that_say_nothing_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor would hang where a firewall swallows packets, which is when it is needed."""
    monkeypatch.setattr(_checks, "SERVICE_TIMEOUT", 0.3)
    found = asyncio.run(asyncio.wait_for(_ask_silence(), HANG))
    assert [each.state for each in found] == [CheckState.WRONG, CheckState.SKIPPED] * 2
    assert ("did not answer in 0.3 s" in found[0].text, "(no answer in time)" in found[2].text) == (True, True)


async def _ask_silence() -> list[_checks.Finding]:
    """Asks a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        ours = settings(kafka=f"127.0.0.1:{port}", redis=f"redis://127.0.0.1:{port}")
        return [*await _checks.check_kafka(ours, None), *await _checks.check_redis(ours)]


def test_a_handlers_folder_that_another_package_hides_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its author would be told that a module is missing which lies before his eyes."""
    (tmp_path / "rich").mkdir()
    (tmp_path / "rich" / "bot.py").write_text("")
    monkeypatch.chdir(tmp_path)
    (found,) = _checks.check_handlers(settings(handler="rich.bot.Bot"), None)
    assert found.state is CheckState.WRONG
    assert "rich is also the name of a package" in found.text
