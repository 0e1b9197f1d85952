"""Services: the one list of what runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.local.ports import Ports
from pipeline.local.services import COMMAND, Service, services
from pipeline.settings import Settings
from pipeline.topics.catalogue import APPS

PORTS = Ports.starting_at(20000)


def planned(tmp_path: Path, **environ: str) -> dict[str, Service]:
    return {service.name: service for service in services(PORTS, tmp_path, environ)}


def test_everything_is_there_in_the_order_of_starting(tmp_path: Path) -> None:
    """A part of the pipeline would be missing, or stop before what needs it."""
    names = list(planned(tmp_path))
    assert names == ["kafka", "redis", "topics", "sandbox", "messenger", "handlers", "intake", "ingress"]
    assert set(APPS) < set(names)


def test_nothing_waits_for_what_starts_later(tmp_path: Path) -> None:
    """The stack would hang while it starts, or stop a server before its clients."""
    seen: set[str] = set()
    for service in planned(tmp_path).values():
        assert set(service.after) <= seen
        seen.add(service.name)


def test_a_command_line_says_what_it_is(tmp_path: Path) -> None:
    """Scripts that find a worker by `… worker intake` and kill it would find nothing."""
    lines = {name: service.argv for name, service in planned(tmp_path).items()}
    for app in APPS:
        assert lines[app] == [*COMMAND, "worker", app]
    assert lines["ingress"][-2:] == ["pipeline.cli", "ingress"]


def test_the_stack_overrides_the_addresses_only(tmp_path: Path) -> None:
    """Children would talk to the broker of a .env instead of the embedded one, or lose a user's settings."""
    env = planned(tmp_path, PIPELINE_KAFKA="prod:9092", PIPELINE_LOG_LEVEL="debug", ACME_SECRET="s")["intake"].env
    assert env is not None
    assert env["PIPELINE_KAFKA"] == "127.0.0.1:20002"
    assert env["PIPELINE_LOG_LEVEL"] == "debug"
    assert env["ACME_SECRET"] == "s"


def test_partitions_are_few_unless_set(tmp_path: Path) -> None:
    """Forty-eight partitions would slow every start on a laptop; a user's number would be ignored."""
    few, own = planned(tmp_path)["topics"].env, planned(tmp_path, PIPELINE_PARTITIONS="3")["topics"].env
    assert few is not None
    assert own is not None
    assert (few["PIPELINE_PARTITIONS"], own["PIPELINE_PARTITIONS"]) == ("8", "3")


@pytest.mark.parametrize("name", ["topics", "sandbox", "ingress", *APPS])
def test_every_variable_is_a_setting(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt variable would be ignored, and a child would use the defaults of production."""
    env = planned(tmp_path)[name].env
    assert env is not None
    for variable, value in env.items():
        monkeypatch.setenv(variable, value)
    settings = Settings()
    known = {f"PIPELINE_{field.upper()}" for field in Settings.model_fields} | {"PIPELINE_SANDBOX_URL"}
    assert {variable for variable in env if variable.startswith("PIPELINE_")} <= known
    assert (settings.replication, settings.session_timeout, settings.data_dir) == (1, 10, tmp_path)


def test_the_ingress_is_asked_for_its_health_where_no_flood_reaches(tmp_path: Path) -> None:
    """A flood of the webhooks' port would end with the supervisor killing the process that withstands it."""
    env = planned(tmp_path)["ingress"].env
    assert env is not None
    assert env["PIPELINE_INGRESS_ADMIN_PORT"] == str(PORTS.admin)


def test_a_worker_keeps_its_membership(tmp_path: Path) -> None:
    """A restarted worker would wait for a session timeout before it gets its partitions back."""
    for app in APPS:
        env = planned(tmp_path)[app].env
        assert env is not None
        assert env["PIPELINE_INSTANCE_ID"] == "1"
        assert int(env["PIPELINE_WORKER_PORT"]) == getattr(PORTS, app)


def test_every_worker_tells_how_it_gets_on(tmp_path: Path) -> None:
    """`pipeline up` would give up while a message that kills its worker is being found."""
    for app in APPS:
        service = planned(tmp_path)[app]
        assert service.env is not None
        assert service.env["PIPELINE_PROGRESS_FILE"] == str(service.progress) == str(tmp_path / f"{app}.progress")


def test_agents_have_a_worker_if_the_tenants_file_has_some(tmp_path: Path) -> None:
    """Agents beside the handlers would not run, or everybody without agents would pay for a process."""
    without, beside = planned(tmp_path), {each.name: each for each in services(PORTS, tmp_path, {}, agents=True)}
    assert set(beside) - set(without) == {"agents"}
    assert beside["agents"].argv == [*COMMAND, "worker", "agent"]
    for name, ports in (("handlers", 3), ("agents", 4)):
        env = beside[name].env if ports == 4 else without[name].env
        assert env is not None
        assert env["PIPELINE_WORKERS"].count("http://") == ports
    assert (f":{PORTS.agents}" in str(beside["ingress"].env), beside["agents"].ports) == (True, (PORTS.agents,))
