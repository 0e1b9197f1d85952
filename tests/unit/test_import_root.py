"""One import root: what is imported, by which name, and what stays importable beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import pipeline
from pipeline.errors import ConfigurationError
from pipeline.handlers.loading import load_handler
from tests.support.stacks import ROOT

PUBLIC = [
    "APIMessageEvent",
    "AccountEvent",
    "Agent",
    "Effects",
    "ErrorEvent",
    "Event",
    "EventHandler",
    "IMessenger",
    "MessageEvent",
    "PipelineError",
    "RetryAfter",
    "SendResult",
    "StatusEvent",
    "Unavailable",
    "UnknownEvent",
    "__version__",
    "agent",
]
HANDLER = """
from agents import Agent
from chaos import NAME as chaos
from pipeline import EventHandler
from sandbox import NAME as sandbox
from topics import NAME as topics

class Bot(EventHandler):
    names = [Agent.__module__, chaos, sandbox, topics]
    async def process_message(self, webhook): ...
"""
_BOT = """
from pipeline import EventHandler

class Bot(EventHandler):
    async def process_message(self, webhook): ...
"""
ASK = "import sys; from pipeline.cli import _import_from_here_too as a; a(); {}"


def python(cwd: Path, code: str, *paths: Path) -> str:
    """What is printed when `code` runs in a process of `pipeline up`: the working directory last."""
    path = os.pathsep.join(map(str, (*paths, ROOT)))
    argv = [sys.executable, "-P", "-c", ASK.format(code)]
    env = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def neighbours(tmp_path: Path) -> Path:
    """Other people's packages that are called as folders of this project."""
    place = tmp_path / "site"
    for name in ("agents", "chaos", "sandbox", "topics"):
        (place / name).mkdir(parents=True)
        (place / name / "__init__.py").write_text(f"NAME = '{name} of another'\nclass Agent: pass\n")
    return place


def test_the_public_names_are_these() -> None:
    """An import in somebody's handler would break when a name goes, or last for ever when one slips in."""
    assert sorted(pipeline.__all__) == PUBLIC
    assert all(getattr(pipeline, name) is not None for name in PUBLIC)
    assert set(PUBLIC) <= set(dir(pipeline))
    with pytest.raises(AttributeError, match="no attribute 'NoSuch'"):
        _ = pipeline.NoSuch


@pytest.mark.parametrize("module", ["pipeline", "pipeline.sandbox"])
def test_an_import_loads_nothing_else(tmp_path: Path, module: str) -> None:
    """Whoever wants the sandbox alone would wait for all of the machine."""
    code = f"import sys, {module}; print([name for name in sys.modules if name.startswith('pipeline.')])"
    argv, env = [sys.executable, "-P", "-c", code], {**os.environ, "PYTHONPATH": str(ROOT)}
    loaded = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == str([module] if module != "pipeline" else [])


def test_neighbours_of_the_same_names_are_a_handlers_own(tmp_path: Path, neighbours: Path) -> None:
    """A bot that uses openai-agents would import our folder, or we would import theirs."""
    (tmp_path / "my_bot.py").write_text(HANDLER)
    load = "from pipeline.handlers.loading import load_handler; print(load_handler('my_bot.Bot').names)"
    names = ["agents", "chaos of another", "sandbox of another", "topics of another"]
    for cwd in (tmp_path, ROOT):
        assert python(cwd, f"import pipeline.agents.topology; {load}", neighbours, tmp_path) == str(names)


def test_the_wheel_has_one_import_name(tmp_path: Path) -> None:
    """Installing it would overwrite the files of openai-agents, or hide somebody's package `topics`."""
    tree, wheels = tmp_path / "tree", tmp_path / "wheels"
    for name in ("pipeline", "agents", "topics", "sandbox"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run([*argv, "--no-index", "--wheel-dir", str(wheels), str(tree)], check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"pipeline"}
    assert {"pipeline/agents/parse.py", "pipeline/topics/catalogue.py", "pipeline/sandbox/app.py"} <= set(names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_an_old_path_of_a_handler_is_understood_and_said(caplog: pytest.LogCaptureFixture) -> None:
    """The tenants file of yesterday would stop the worker of today."""
    handler = load_handler("agents.handlers.echo.EchoHandler")
    assert type(handler).__module__ == "pipeline.agents.handlers.echo"
    assert "handler_path_moved" in caplog.text
    assert "write pipeline.agents.handlers.echo.EchoHandler instead" in caplog.text


def test_an_old_path_is_left_alone_where_another_package_has_the_name(tmp_path: Path, neighbours: Path) -> None:
    """A handler in somebody's own package `agents` would be looked for in ours."""
    (neighbours / "agents" / "bot.py").write_text(_BOT)
    load = "from pipeline.handlers.loading import load_handler; print(load_handler('agents.bot.Bot').__module__)"
    assert python(tmp_path, load, neighbours) == "agents.bot"


def test_a_folder_that_an_installed_package_hides_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its author would look for the error in a file that is never read."""
    (tmp_path / "rich").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"rich is also the name of a package in .*: rename yours"):
        load_handler("rich.bot.Bot")
