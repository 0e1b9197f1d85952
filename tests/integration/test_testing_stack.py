"""`PIPELINE_TESTING=stack`, as docs/write-an-agent.md shows it: in a project of its own, from the command line."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipeline.cli import main
from tests.support.stacks import ROOT
from tests.support.waiting import HANG

pytestmark = pytest.mark.integration
PAGE = (ROOT / "docs" / "write-an-agent.md").read_text()
CASES = ("tests/unit/handlers/test_both_ways.py", "tests/integration/stack_cases.py")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout with its agents, the tests that are to run, and an installation elsewhere that nobody may reach."""
    place = tmp_path / "project"
    shutil.copytree(ROOT / "agents", place / "agents", ignore=shutil.ignore_patterns("__pycache__"))
    packages = {str(folder / "__init__.py") for case in CASES for folder in list(Path(case).parents)[:-1]}
    for name in (*CASES, *packages):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name)
    (place / ".env").write_text("PIPELINE_KAFKA=127.0.0.1:1\nPIPELINE_REDIS=redis://127.0.0.1:1/0\n")
    return place


def _run(project: Path, line: str, *more: str) -> str:
    """The output of pytest by a line of the page, with its variables."""
    words = shlex.split(line)
    variables = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
    assert words[len(variables) :][:2] == ["python", "-m"]
    arguments = words[len(variables) + 2 :]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIPELINE_", "PYTEST_"))}
    env = {**kept, **variables, "PYTHONPATH": os.pathsep.join((str(project), str(ROOT))), "TMPDIR": str(_tmp(project))}
    done = subprocess.run(
        [sys.executable, "-m", *arguments, *more],
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _tmp(project: Path) -> Path:
    place = project.parent / "tmp"
    place.mkdir(exist_ok=True)
    return place


def _line(start: str) -> str:
    (line,) = (line for line in PAGE.splitlines() if line.startswith(start))
    return line.replace(" --tenant acme", "")  # this project has no tenants file


def test_the_same_tests_run_on_the_real_stack_and_leave_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What passes in memory would never have seen Kafka, or each run would leave a Kafka behind."""
    monkeypatch.chdir(project)
    with pytest.raises(SystemExit, match="0"):
        main(shlex.split(_line("pipeline new-agent visits --tenant"))[1:])
    said = _run(project, _line("PIPELINE_TESTING=stack python -m pytest"), *CASES, "-p", "no:cacheprovider")
    assert "19 passed" in said
    assert list(_tmp(project).iterdir()) == [], "its data is gone"
    assert not [process for process in psutil.process_iter() if str(_tmp(project)) in _traces(process)]


def _traces(process: psutil.Process) -> str:
    """The command line and the environment of a process, as far as we may see them."""
    try:
        return " ".join([*process.cmdline(), *process.environ().values()])
    except psutil.Error:
        return ""
