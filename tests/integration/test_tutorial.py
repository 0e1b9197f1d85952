"""docs/tutorial.md from the step where its stack runs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipeline.local.ports import Ports
from tests.support.doc_blocks import NEEDS_CURL, Block, Shell, blocks
from tests.support.ports import free_ports
from tests.support.stacks import Process, eventually
from tests.support.tutorial import LIVE, PAGE, before_the_stack, environment, run, to_run, write
from tests.support.waiting import HANG

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all files of the tutorial."""
    place = tmp_path_factory.mktemp("tea")
    for block in before_the_stack():
        for command in to_run(block):
            if command.program == "pipeline":
                assert run(command, place).returncode == 0
        write(block, place)
    for block in after_its_start():
        write(block, place)
    return place


@pytest.fixture(scope="module")
def ports(project: Path) -> Iterator[Ports]:
    """The project's own stack, as `pipeline up` starts it there."""
    found = Ports.starting_at(free_ports())
    command = [sys.executable, "-m", "pipeline.cli", *LIVE.split()[1:], "--ports-from", str(found.ingress)]
    process = Process(command, project / "up.out", environment(), project)
    try:
        process.wait_for("Ready in")
        yield found
    finally:
        process.signal(signal.SIGINT)
        assert process.wait() == 0


def after_its_start() -> list[Block]:
    """Return the blocks that follow the start of the stack."""
    return blocks(PAGE)[len(list(before_the_stack())) + 1 :]


def live() -> list[Shell]:
    """Return the commands that follow the start of the stack."""
    return [command for block in after_its_start() for command in to_run(block)]


def curl(command: Shell, ports: Ports) -> str:
    line = command.line.replace("8090", str(ports.sandbox))
    return subprocess.run(line, shell=True, capture_output=True, text=True, check=True, timeout=HANG).stdout


@NEEDS_CURL
def test_the_shop_answers_as_the_tutorial_says(project: Path, ports: Ports) -> None:
    """The reader would wait for an answer that never comes, or see another one."""
    doctor, *writes = [each for each in live() if "PIPELINE_TESTING" not in each.settings]
    assert run(doctor, project).returncode == 0, run(doctor, project).stdout
    hello, tap, tins, ana, tea, other, faults, yes, again, letters, report = writes
    expected = ["What would you like?", "How many tins of Chai?", "2 x Chai: 12 euros?", "2 x Chai on the way!"]
    for step, command in enumerate((hello, tap, tins), 1):
        assert json.loads(curl(command, ports))["status"] == 200
        eventually(partial(_sent, ana, ports, expected[:step]), f"{expected[:step]}")
    curl(tea, ports)
    eventually(partial(_sent, other, ports, ["Stamp 1 of 10."]), "a stamp")
    curl(faults, ports)
    curl(yes, ports)
    eventually(partial(_sent, again, ports, expected), "one answer, after the errors")
    listed = run(letters, project)
    assert (listed.returncode, listed.stdout) == (0, shown_last()), listed.stderr
    counted = run(report._replace(settings={"PIPELINE_KAFKA": f"127.0.0.1:{ports.kafka}"}), project).stdout
    assert [line.rsplit(" ", 1)[0] for line in counted.splitlines()] == [
        f"{tenant} {topic}" for tenant in ("acme", "globex") for topic in ("commands.outcomes", "events.default")
    ]


def _sent(look: Shell, ports: Ports, expected: list[str]) -> bool:
    return texts(curl(look, ports)) == expected


def shown_last() -> str:
    """Return the output that the page shows of its last command about the stack."""
    return [block.text for block in blocks(PAGE) if block.language == "text"][-1]


def texts(sent: str) -> list[str]:
    """The texts of what the sandbox shows, whatever their kind."""
    return [_text(each["body"]) for each in json.loads(sent)]


def _text(body: Any) -> str:
    if isinstance(body, str):
        return body
    inner = body.get("body", body.get("text"))
    return inner if isinstance(inner, str) else inner["text"]


def test_the_tutorials_tests_run_on_a_stack_of_their_own(project: Path) -> None:
    """The last command of the page would fail."""
    (command,) = (each for each in live() if each.settings)
    done = run(command, project)
    assert done.returncode == 0, done.stdout + done.stderr
