"""The README's first screen, from a clean copy of what is checked in: what a newcomer does in the first minutes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import psutil
import pytest

from tests.support.doc_blocks import NEEDS_CURL, blocks
from tests.support.ports import free_ports
from tests.support.stacks import ROOT, Process, eventually
from tests.support.waiting import HANG

INSTALLED = Path(sys.prefix) / ".installed"
"""What `make` leaves in the environment that it made."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files that git knows or would take, and nothing that only this checkout has."""
    place = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    if INSTALLED.exists():
        _share_environment(place)
    yield place
    shutil.rmtree(place, ignore_errors=True)


def _share_environment(place: Path) -> None:
    """Whoever runs this by `make test` has installed from a clone a minute ago: no need to do it twice."""
    (place / ".venv").symlink_to(sys.prefix)
    for name in ("pyproject.toml", "requirements.lock"):
        os.utime(place / name, (0, 0))


def _blocks(language: str = "") -> list[str]:
    """The README's code blocks of a language, with continued lines joined."""
    found = (block for block in blocks(ROOT / "README.md") if block.language == language)
    return [block.text.replace("\\\n", " ") for block in found]


def _commands(start: str) -> list[str]:
    return [line.split("#")[0].strip() for block in _blocks() for line in block.splitlines() if line.startswith(start)]


def _env(clone: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIPELINE_", "VIRTUAL_ENV"))}
    return {**kept, "PYTHONPATH": str(clone)}  # the environment's own entry names another checkout


@NEEDS_CURL
def test_make_run_answers_and_make_test_runs(clone: Path) -> None:
    """Without it, whoever clones this would stop at the first command."""
    run, test = _commands("make run")[0], _commands("make test")[0]
    assert (run, test) == ("make run", "make test")
    port = free_ports()
    arguments = f"ARGS=--ports-from {port}"
    process = Process(["make", "run", arguments, f"PYTHON={sys.executable}"], clone / "run.out", _env(clone), clone)
    try:
        process.wait_for("Ready in")
        send, look = [command.replace("8090", str(port + 1)) for command in _commands("curl")]
        assert orjson.loads(_shell(send))["status"] == 200
        eventually(lambda: "You said: hello" in _shell(look), "the reply that the README shows")
        (sent,), (shown,) = orjson.loads(_shell(look)), orjson.loads(_blocks("json")[0])
        assert list(sent) == list(shown)
        assert {name for name in sent if sent[name] != shown[name]} == {"message_id", "command_id", "at"}
    finally:
        left = _ctrl_c(process)
    assert left == []
    subset = "ARGS=-q tests/unit/runtime/flows/test_chain.py"
    done = subprocess.run(
        ["make", "test", subset], cwd=clone, env=_env(clone), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_the_readme_shows_the_sample_handler_as_it_is() -> None:
    """Without it, the first code that people copy would be another than the one that runs."""
    (shown,) = _blocks("python")
    assert shown.strip().splitlines()[1:] == _body(
        (ROOT / "agents/handlers/echo.py").read_text(), "async def process_message"
    )


def _body(source: str, start: str) -> list[str]:
    lines = source.strip().splitlines()
    first = next(number for number, line in enumerate(lines) if start in line)
    return lines[first:]


def _ctrl_c(process: Process) -> list[psutil.Process]:
    """What a terminal does: make and what make runs are interrupted. Gives what is left of them after 15 s."""
    started = process.descendants()
    for child in started:
        if "up" in child.cmdline():
            child.send_signal(signal.SIGINT)
    process.signal(signal.SIGINT)
    process.wait()
    return psutil.wait_procs(started, HANG)[1]


def _shell(command: str) -> str:
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=True, timeout=HANG).stdout
