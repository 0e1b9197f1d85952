"""The wheel in an environment of its own: a user's handler, its tests and the whole stack, without the checkout."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.support import packages
from tests.support.observers import get, post
from tests.support.ports import free_ports
from tests.support.stacks import ROOT, Process, eventually
from tests.support.waiting import HANG

pytestmark = pytest.mark.integration
MESSAGE = {"provider": "cloud", "account": "106540352242922", "from": "15550001111", "text": "hello"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, and with other people's packages that are called as our folders are."""
    place = tmp_path_factory.mktemp("installed")
    _, wheel = packages.build(place)
    made = packages.environment(place / "venv", wheel)
    packages.install_others(packages.site_packages(made))
    return made


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, installed: Path) -> Path:
    """A user's folder with the handler that `pipeline new-handler` writes, which uses openai-agents."""
    place = tmp_path_factory.mktemp("shop")
    _run(installed, place, "pipeline", "new-handler", "visits", "--package", "my_shop")
    handler = place / "my_shop" / "visits.py"
    source = handler.read_text().replace("\nfrom pipeline", "\nfrom agents import Agent as Agent\nfrom pipeline", 1)
    handler.write_text(source)
    return place


def _run(installed: Path, cwd: Path, command: str, *arguments: str) -> str:
    argv = [str(installed / "bin" / command), *arguments]
    env = packages.clean_environ()
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_nothing_of_the_checkout_is_imported(installed: Path, shop: Path) -> None:
    """A file that the wheel lacks would be found in the checkout, and by no user."""
    code = (
        "import sys, pipeline, pipeline.agents, pipeline.sandbox, pipeline.topics; print(pipeline.__path__, sys.path)"
    )
    said = _run(installed, shop, "python", "-c", code)
    assert str(packages.site_packages(installed)) in said
    assert f"'{ROOT}'" not in said


def test_a_users_handler_passes_its_tests(installed: Path, shop: Path) -> None:
    """A newcomer's first command would write what does not run."""
    said = _run(installed, shop, "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_visits.py")
    assert " passed" in said


def test_the_stack_answers_with_a_users_handler(installed: Path, shop: Path) -> None:
    """`pip install whatsapp-pipeline` would give a package that runs in our checkout only."""
    port = free_ports()
    argv = [str(installed / "bin" / "pipeline"), "up", "--ports-from", str(port)]
    env = packages.clean_environ() | {"PIPELINE_HANDLER": "my_shop.visits.VisitsHandler", "PYTHONPATH": ""}
    stack = Process(argv, shop / "up.out", env, shop)
    sandbox = f"http://127.0.0.1:{port + 1}/_sandbox"
    try:
        stack.wait_for("Ready in")
        assert post(f"{sandbox}/receive", MESSAGE)["status"] == 200
        eventually(lambda: get(f"{sandbox}/sent"), lambda: f"an answer in {stack.output}")
        (reply,) = get(f"{sandbox}/sent")
        assert (reply["to"], reply["body"]["body"]) == ("15550001111", "What is your name?")
    finally:
        stack.signal(signal.SIGTERM)
    assert stack.wait() == 0
