"""`pipeline new-project`: a project that runs as it is. `tests/integration/test_wheel.py` starts one."""

from __future__ import annotations

import json
import re
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
import yaml

from pipeline.cli import main
from pipeline.cli._project_files import project_files
from pipeline.handlers.agents import load_agent
from pipeline.handlers.loading import load_handler
from pipeline.local.services import AGENTS, VERBS
from pipeline.tenants import load_tenants
from tests.support.stacks import ROOT

ONLY_HERE = "# A path of this machine: name a wheel that others and your CI can fetch\n"
SCHEMA = json.loads((ROOT / "tests" / "data" / "compose-spec.json").read_text())


@pytest.fixture(autouse=True)
def own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command appends the folder that it runs in."""
    monkeypatch.setattr(sys, "path", sys.path.copy())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in a folder that was empty."""
    place = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(sys, "path", sys.path.copy())
        patch.setenv("PIPELINE_TENANTS", "elsewhere.yaml")
        with pytest.raises(SystemExit, match="0"):
            main(["new-project", "tea-shop"])
    return place


def test_its_tenant_has_a_handler_and_an_agent_of_the_package(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer would be answered by the echo, and look for the mistake in their own code."""
    monkeypatch.syspath_prepend(str(project))
    tenants = load_tenants(project / "tenants.yaml", {"PIPELINE_SANDBOX_URL": "http://127.0.0.1:8090"})
    (tenant,) = tenants
    assert (tenant.id, tenant.handler) == ("tea_shop", "tea_shop.bot.BotHandler")
    load_handler("tea_shop.bot.BotHandler")
    (entry,) = tenants.agents.values()
    assert (entry.agent, entry.tenants) == ("tea_shop.visits.visits", ("tea_shop",))
    load_agent(entry)


def test_its_settings_name_its_tenants_file_and_are_kept_out_of_git(project: Path) -> None:
    """`pipeline up` would run the sample's tenants, or a company's secrets would be pushed."""
    assert "PIPELINE_TENANTS=tenants.yaml" in (project / ".env").read_text().splitlines()
    assert ".env" in (project / ".gitignore").read_text().splitlines()


def test_its_image_takes_what_is_there(project: Path) -> None:
    """`docker build` would fail, or the image would lack the code, the tenants, or a package that the code needs."""
    dockerfile = (project / "Dockerfile").read_text()
    copied = [name for name, _ in re.findall(r"^COPY (\S+) (\S+)$", dockerfile, re.M)]
    context = (project / ".dockerignore").read_text().splitlines()
    assert sorted(copied) == ["requirements.txt", "tea_shop", "tenants.yaml"]
    assert all((project / name).exists() and f"!{name}" in context for name in copied)
    assert context[0] == "*"
    base = (ROOT / "Dockerfile").read_text()
    assert "WORKDIR /app" in base
    assert re.findall(r"^USER (.*)$", dockerfile, re.M)[-1] == re.findall(r"^USER (.*)$", base, re.M)[-1]


def test_its_compose_file_runs_its_image_with_its_tenants(project: Path) -> None:
    """The containers would run the pipeline's own image, and answer for the sample's tenants."""
    document: dict[str, Any] = yaml.safe_load((project / "compose.yaml").read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    handlers = document["services"]["handlers"]
    assert (document["name"], handlers["image"], handlers["build"]) == ("tea_shop", "tea_shop", ".")
    assert handlers["environment"]["PIPELINE_TENANTS"] == "/app/tenants.yaml"
    assert "PIPELINE_TENANTS=/app/tenants.yaml" in (project / "Dockerfile").read_text()
    services = [*VERBS, AGENTS]
    commands = {each: service["command"] for each, service in document["services"].items() if "build" in service}
    assert commands == {verb.name: list(verb.arguments) for verb in services}
    assert {verb.name for verb in services if verb.tables} <= set(document["volumes"])
    assert "http://agents:8085" in handlers["environment"]["PIPELINE_WORKERS"]
    assert not [path for path in handlers.get("volumes", ()) if path.startswith(".")]


@pytest.mark.parametrize(
    ("source", "requirement"),
    [
        (None, "whatsapp-pipeline[local]==1.2"),
        (
            {"url": "https://shop.example/p.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "whatsapp-pipeline[local] @ git+https://shop.example/p.git@abc",
        ),
        ({"url": "https://shop.example/p.whl"}, "whatsapp-pipeline[local] @ https://shop.example/p.whl"),
        (
            {"url": "file:///home/ana/p.whl"},
            f"{ONLY_HERE}whatsapp-pipeline[local] @ file:///home/ana/p.whl",
        ),
    ],
    ids=["an index", "a repository", "a wheel elsewhere", "a wheel here"],
)
def test_it_installs_the_pipeline_from_where_it_came(
    source: object, requirement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CI would install whatever has the name on an index, which may be anybody's."""
    text = None if source is None else json.dumps(source)
    found = SimpleNamespace(read_text=lambda _: text, version="1.2")
    monkeypatch.setattr(metadata, "distribution", lambda _: found)
    assert project_files("shop")[Path("requirements-dev.txt")] == f"-r requirements.txt\n{requirement}\npytest\n"


@pytest.mark.parametrize("there", ["shop/__init__.py", "Dockerfile", ".env", "tests/test_visits.py"])
def test_nothing_is_written_over(
    there: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody's secrets or code would be gone, or half a project would lie around."""
    (tmp_path / there).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / there).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="1"):
        main(["new-project", "shop"])
    assert "is there already: run new-project in a folder without a project" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_name_of_another_package_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python would import the other package, and the project would be half there."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="1"):
        main(["new-project", "json"])
    assert "json is another package's name" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
