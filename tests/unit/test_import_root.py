"""One import root: what is imported, by which name, and what stays importable beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

import pipeline
from pipeline.errors import ConfigurationError
from pipeline.handlers.loading import load_handler
from tests.support.packages import build, install_others
from tests.support.stacks import ROOT

PUBLIC = [
    "APIMessageEvent",
    "AccountEvent",
    "Agent",
    "Command",
    "Effects",
    "ErrorEvent",
    "Event",
    "EventHandler",
    "IMessenger",
    "MessageEvent",
    "Outcome",
    "PipelineError",
    "RetryAfter",
    "RetryPauses",
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
ASK = "import sys; from pipeline.cli import import_from_here_too as a; a(); {}"


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
    install_others(place)
    return place


def test_the_public_names_are_these() -> None:
    """An import in somebody's handler would break when a name goes, or last for ever when one slips in."""
    assert sorted(pipeline.__all__) == PUBLIC
    assert all(getattr(pipeline, name) is not None for name in PUBLIC)
    assert set(PUBLIC) <= set(dir(pipeline))
    with pytest.raises(AttributeError, match="no attribute 'NoSuch'"):
        _ = pipeline.NoSuch


@pytest.mark.parametrize("module", ["pipeline", "pipeline.sandbox", "pipeline.replay"])
def test_an_import_loads_nothing_else(tmp_path: Path, module: str) -> None:
    """Whoever wants the sandbox alone would wait for all of the machine."""
    assert _loaded_by(tmp_path, module) == {"pipeline", module}


def test_the_whole_sandbox_loads_nothing_else(tmp_path: Path) -> None:
    """What stands for the outside world would be made of what it tests."""
    loaded = _loaded_by(tmp_path, "pipeline.sandbox.server") - {"pipeline", "pipeline.sandbox"}
    assert "pipeline.sandbox.app" in loaded
    assert [name for name in loaded if not name.startswith("pipeline.sandbox.")] == []


def _loaded_by(cwd: Path, module: str) -> set[str]:
    """Return the modules of ours that an import loads in a process of its own."""
    code = f"import sys, {module}; print(*[name for name in sys.modules if name.split('.')[0] == 'pipeline'])"
    argv, env = [sys.executable, "-P", "-c", code], {**os.environ, "PYTHONPATH": str(ROOT)}
    return set(subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=True).stdout.split())


def test_neighbours_of_the_same_names_are_a_handlers_own(tmp_path: Path, neighbours: Path) -> None:
    """A bot that uses openai-agents would import our folder, or we would import theirs."""
    (tmp_path / "my_bot.py").write_text(HANDLER)
    load = "from pipeline.handlers.loading import load_handler; print(load_handler('my_bot.Bot').names)"
    names = ["agents", "chaos of another", "sandbox of another", "topics of another"]
    for cwd in (tmp_path, ROOT):
        assert python(cwd, f"import pipeline.agents.topology; {load}", neighbours, tmp_path) == str(names)


def test_a_handlers_own_test_finds_its_neighbours_first() -> None:
    """`from agents import Agent` would mean our folder in the tests and openai-agents in a worker."""
    assert sys.path.index(str(ROOT)) > sys.path.index(sysconfig.get_path("purelib"))


def test_the_wheel_has_one_import_name(tmp_path: Path) -> None:
    """Installing it would overwrite the files of openai-agents, or hide somebody's package `topics`."""
    sdist, wheel = build(tmp_path)
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"pipeline"}
    assert {"pipeline/agents/parse.py", "pipeline/topics/catalogue.py", "pipeline/sandbox/app.py"} <= set(names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    with tarfile.open(sdist) as archive:
        sources = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in names if ".dist-info/" not in name} <= sources, "the wheel can be built of it"


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
