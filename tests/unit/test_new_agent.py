"""`pipeline new-agent` and `pipeline new-handler`: what they write passes, as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.cli import main
from pipeline.cli._scaffold import registered
from pipeline.errors import UsageError
from tests.stacks import ROOT

TENANTS = (ROOT / "examples" / "tenants.yaml").read_text()
VERBS = {"new-agent": "agents/visits.py", "new-handler": "agents/handlers/visits.py"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with its agents, and nothing else that the verbs look at."""
    shutil.copytree(ROOT / "agents", tmp_path / "agents", ignore=shutil.ignore_patterns("__pycache__"))
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
    assert tenants["globex"]["handler"].startswith(f"{module}.")
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
    with pytest.raises(SystemExit, match="1"):
        main(list(argv))
    said = capsys.readouterr().err
    assert (says in said, said.count("\n")) == (True, 1)
    assert sorted(project.rglob("*")) == before


def test_registering_changes_one_line() -> None:
    """The comments of somebody's tenants file, or another tenant's handler, would be gone."""
    after = registered(TENANTS, "acme", "agents.a.a")
    assert [line for line in after.splitlines() if line not in TENANTS.splitlines()] == ["    handler: agents.a.a"]
    assert registered(TENANTS, "globex", "agents.a.a").replace("    handler: agents.a.a\n", "") == TENANTS
    with pytest.raises(UsageError, match="has a handler already"):
        registered(after, "acme", "agents.b.b")
