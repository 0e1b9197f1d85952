"""`pipeline new-agent` and `pipeline new-handler`: what they write passes, as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import pipeline
from pipeline.cli import main
from pipeline.cli._scaffold import Home, home, registered, registered_beside
from pipeline.errors import UsageError
from pipeline.tenants import load_tenants
from tests.support.stacks import ROOT

TENANTS = (ROOT / "examples" / "tenants.yaml").read_text()
VERBS = {"new-agent": "agents/visits.py", "new-handler": "agents/handlers/visits.py"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout: its packages, and nothing else that the verbs look at."""
    for folder in ("pipeline", "agents", "topics", "sandbox"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, symlinks=True, ignore=ignored)
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "tenants.yaml").write_text(TENANTS)
    (tmp_path / "tests").mkdir()
    return tmp_path


def _run(project: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
    env = {**kept, "PYTHONPATH": os.pathsep.join((str(project), str(ROOT))), "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", *argv], cwd=project, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("verb", "path"), VERBS.items())
def test_what_is_written_passes_is_clean_and_is_registered(project: Path, verb: str, path: str) -> None:
    """The first thing that a newcomer makes would fail, and so would their trust."""
    made = _run(project, "pipeline.cli", verb, "visits", "--tenant", "globex")
    assert made.returncode == 0, made.stderr
    assert (project / path).is_file()
    tested = _run(project, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_visits.py")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "10 passed" in tested.stdout
    for check in (("ruff", "check"), ("ruff", "format", "--check")):
        linted = _run(project, *check, "--config", str(ROOT / "pyproject.toml"), path, "tests/test_visits.py")
        assert linted.returncode == 0, linted.stdout + linted.stderr
    tenants = {each["id"]: each for each in yaml.safe_load((project / "examples/tenants.yaml").read_text())["tenants"]}
    module = path.removesuffix(".py").replace("/", ".")
    assert tenants["globex"]["handler"].startswith(f"pipeline.{module}.")
    assert "handler" not in tenants["acme"]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("new-agent", "Not A Name"), "can't name a module"),
        (("new-agent", "class"), "can't name a module"),
        (("new-agent", "parse"), "agents/parse.py is there already"),
        (("new-handler", "echo"), "agents/handlers/echo.py is there already"),
        (("new-agent", "visits", "--tenant", "nobody"), "there is no tenant 'nobody'"),
    ],
)
def test_what_cannot_be_made_is_said_and_nothing_is_written(
    project: Path,
    argv: tuple[str, ...],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A stage of the pipeline would be overwritten, or half of the files would be left behind."""
    before = sorted(project.rglob("*"))
    monkeypatch.chdir(project)
    monkeypatch.setattr(pipeline, "__path__", [str(project / "pipeline")])
    with pytest.raises(SystemExit, match="1"):
        main(list(argv))
    said = capsys.readouterr().err
    assert (says in said, said.count("\n")) == (True, 1)
    assert sorted(project.rglob("*")) == before


@pytest.mark.parametrize(
    ("verb", "argv", "package"),
    [("new-agent", (), "my_shop"), ("new-handler", ("--package", "bots"), "bots")],
    ids=["named as the folder", "named by the user"],
)
def test_outside_a_checkout_it_goes_into_a_package_of_the_users_own(
    tmp_path: Path, verb: str, argv: tuple[str, ...], package: str
) -> None:
    """A user of the wheel would get a file in a folder that their workers can't import."""
    place = tmp_path / "My Shop"
    place.mkdir()
    (place / "tenants.yaml").write_text(TENANTS)
    env = {"PIPELINE_TENANTS": "tenants.yaml", "PYTHONPATH": str(ROOT)}
    made = _outside(place, env, "-P", "-m", "pipeline.cli", verb, "visits", "--tenant", "acme", *argv)
    assert made.returncode == 0, made.stderr
    assert (place / package / "visits.py").is_file()
    tested = _outside(place, env, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_visits.py")
    assert "10 passed" in tested.stdout, tested.stdout + tested.stderr
    tenants = {each["id"]: each for each in yaml.safe_load((place / "tenants.yaml").read_text())["tenants"]}
    loaded = _outside(place, env, "-P", "-c", f"{_LOAD}{tenants['acme']['handler']!r})")
    assert loaded.returncode == 0, loaded.stderr


_LOAD = (
    "from pipeline.cli import import_from_here_too as also; also(); "
    "from pipeline.handlers.loading import load_handler as load; load("
)


def _outside(place: Path, env: dict[str, str], *argv: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
    return subprocess.run(
        [sys.executable, *argv], cwd=place, env={**kept, **env}, capture_output=True, text=True, check=False
    )


def test_outside_a_checkout_there_is_no_tenants_file_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A newcomer's first command would end in `unexpected FileNotFoundError`, or name a file that is not there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PIPELINE_TENANTS", raising=False)
    with pytest.raises(SystemExit, match="1"):
        main(["new-agent", "visits", "--package", "bots", "--tenant", "acme"])
    assert "there is no tenants file examples/tenants.yaml: set PIPELINE_TENANTS to yours" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.py"))
    with pytest.raises(SystemExit, match="0"):
        main(["new-agent", "visits", "--package", "bots"])
    assert "PIPELINE_HANDLER=bots.visits.visits pipeline up" in capsys.readouterr().out


def test_another_packages_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new files would never be imported: Python would find the installed package first."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="json is another package's name"):
        home("json", "agents")


def test_the_only_package_here_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with a package would get a second one beside it."""
    for name in ("our_bots", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    assert home(None, "agents") == Home(Path("our_bots"), "our_bots")


def test_outside_a_checkout_its_settings_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A newcomer would look for a tenants file that an installed package does not have."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="0"):
        main(["new-agent", "visits", "--package", "my_shop"])
    assert "PIPELINE_HANDLER=my_shop.visits.visits pipeline up" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="1"):
        main(["new-agent", "other", "--package", "my_shop", "--tenant", "acme"])
    assert "set PIPELINE_TENANTS to yours" in capsys.readouterr().err


def test_an_agent_beside_is_written_passes_is_clean_and_is_registered(project: Path) -> None:
    """Who wants to count beside a bot would have to find out how, and their first test would fail."""
    made = _run(project, "pipeline.cli", "new-agent", "visits", "--beside", "--tenant", "globex")
    assert made.returncode == 0, made.stderr
    assert "pipeline worker agent visits" in made.stdout
    tested = _run(project, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_visits.py")
    assert "10 passed" in tested.stdout, tested.stdout + tested.stderr
    for check in (("ruff", "check"), ("ruff", "format", "--check")):
        linted = _run(
            project, *check, "--config", str(ROOT / "pyproject.toml"), "agents/visits.py", "tests/test_visits.py"
        )
        assert linted.returncode == 0, linted.stdout + linted.stderr
    after = load_tenants(project / "examples/tenants.yaml", {"PIPELINE_SANDBOX_URL": "http://127.0.0.1:8090"})
    assert [*after.agents] == ["visits"]
    assert (after.agents["visits"].agent, after.agents["visits"].tenants) == (
        "pipeline.agents.visits.visits",
        ("globex",),
    )


def test_registering_an_agent_adds_its_lines_and_no_other() -> None:
    """The comments of somebody's tenants file, or the agents that are there, would be gone."""
    first = registered_beside(TENANTS, "visits", "shop.visits.visits", None)
    second = registered_beside(first, "crm", "shop.crm.notify", "acme")
    assert yaml.safe_load(second)["agents"] == [
        {"id": "crm", "agent": "shop.crm.notify", "tenants": ["acme"]},
        {"id": "visits", "agent": "shop.visits.visits"},
    ]
    added = [line for line in second.splitlines() if line not in TENANTS.splitlines()]
    assert len(added) == 6
    assert "\n".join(line for line in second.splitlines() if line not in added) + "\n" == TENANTS
    with pytest.raises(UsageError, match="has an agent visits already"):
        registered_beside(second, "visits", "shop.other.visits", None)


@pytest.mark.parametrize(
    ("argv", "says"), [((), "there is no tenants file"), (("--tenant", "nobody"), "there is no tenant 'nobody'")]
)
def test_an_agent_that_can_not_be_registered_is_not_written(
    argv: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A newcomer would find a file that never runs, and no line that says why."""
    monkeypatch.chdir(tmp_path)
    if argv:
        (tmp_path / "tenants.yaml").write_text(TENANTS)
        monkeypatch.setenv("PIPELINE_TENANTS", "tenants.yaml")
    else:
        monkeypatch.delenv("PIPELINE_TENANTS", raising=False)
    with pytest.raises(SystemExit, match="1"):
        main(["new-agent", "visits", "--package", "counting_bots", "--beside", *argv])
    assert says in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.py"))


def test_registering_changes_one_line() -> None:
    """The comments of somebody's tenants file, or another tenant's handler, would be gone."""
    after = registered(TENANTS, "acme", "agents.a.a")
    assert [line for line in after.splitlines() if line not in TENANTS.splitlines()] == ["    handler: agents.a.a"]
    assert registered(TENANTS, "globex", "agents.a.a").replace("    handler: agents.a.a\n", "") == TENANTS
    with pytest.raises(UsageError, match="has a handler already"):
        registered(after, "acme", "agents.b.b")
