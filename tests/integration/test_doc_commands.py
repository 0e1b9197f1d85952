"""The commands of the documents, run one after the other beside a running stack."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from tests.support.doc_blocks import DOCS, NEEDS_CURL, Block, Shell, blocks, commands
from tests.support.observers import request
from tests.support.ports import free_ports
from tests.support.send_api import JPEG
from tests.support.stacks import ROOT, Stack, eventually
from tests.support.waiting import HANG
from tests.support.webhooks import NUMBER, change, signed, text, webhook

pytestmark = pytest.mark.integration

VERBS = ("topics", "dead-letters", "doctor", "lag", "parked", "accounts", "tenants")
"""Commands that look at a stack, or change something on it, and end."""
PAGES = [page for page in sorted(DOCS.glob("*.md")) if page.name != "tutorial.md"]
BLOCKS = [block for page in PAGES for block in blocks(page) if block.language == "sh"]


def of_stack(command: Shell) -> bool:
    """Return True if a command looks at a stack, or changes something on it, and ends."""
    return command.program == "pipeline" and command.arguments[0] in VERBS


def is_request(block: Block) -> bool:
    """Return True if a block asks the sandbox or the ingress something."""
    return any(each.program == "curl" for each in commands(block))


class Running(NamedTuple):
    """A stack with one open dead letter: the letter's id, and the record that it was."""

    stack: Stack
    letter: str
    origin: str
    trace: str


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as name:
        stack = Stack(free_ports(), Path(name, "data"), Path(name, "up.out"), (), {})
        try:
            stack.wait_ready()
            body = webhook([change([text("15550001111", "wamid.NOBODY", "hi")])]).replace(NUMBER.encode(), b"999999999")
            body = body.replace(b"102290129340398", b"999999998")
            assert request(f"{stack.ingress_url}/webhooks/cloud", body, signed(body)) == 200
            eventually(lambda: _letters(stack), "a dead letter of route")
            (letter,) = _letters(stack)
            origin = "/".join(str(letter["origin"][each]) for each in ("topic", "partition", "offset"))
            yield Running(stack, letter["id"], origin, letter["trace_id"])
        finally:
            stack.stop()


def _letters(stack: Stack) -> list[dict[str, Any]]:
    said = _run(stack, Shell({}, "pipeline", ["dead-letters", "list", "--json"], "")).stdout
    return [orjson.loads(line) for line in said.splitlines() if line.startswith("{")]


def _run(stack: Stack, command: Shell) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
    env = {**kept, "PIPELINE_DATA_DIR": str(stack.data_dir), "NO_COLOR": "1", "COLUMNS": "200"}
    argv = [sys.executable, "-m", "pipeline.cli", *command.arguments]
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=HANG)


@pytest.mark.parametrize("block", [pytest.param(each, id=each.name) for each in BLOCKS if of_stack(commands(each)[0])])
def test_each_command_about_a_stack_is_good(running: Running, block: Block) -> None:
    """A reader who copies it, at night, would get an error."""
    for command in filter(of_stack, commands(block)):
        done = _run(running.stack, command._replace(arguments=[_named(running, each) for each in command.arguments]))
        assert done.returncode == 0, f"{command.line}: {done.stdout}{done.stderr}"


def _named(running: Running, argument: str) -> str:
    """The letter of this stack for the one that a page names."""
    argument = re.sub(r"^(route|parse)/\d+/\d+$", running.letter, argument)
    argument = re.sub(r"^events\.default/\d+/\d+$", running.origin, argument)
    return re.sub(r"^[0-9a-f]{32}$", running.trace, argument)


@NEEDS_CURL
@pytest.mark.parametrize("block", [pytest.param(each, id=each.name) for each in BLOCKS if is_request(each)])
def test_each_request_is_answered_with_200(running: Running, block: Block, tmp_path: Path) -> None:
    """The reader would see an error where the page shows what can be asked."""
    (tmp_path / JPEG.name).write_bytes(JPEG.content)
    said = [_request(running.stack, command, tmp_path) for command in commands(block) if command.program == "curl"]
    assert [status for _, status in said] == ["200"] * len(said), said
    if (shown := _shown_below(block)) is not None:
        assert set(shown) <= set(orjson.loads(said[-1][0]))


def _request(stack: Stack, command: Shell, place: Path) -> tuple[str, str]:
    line = command.line.replace(":8090", f":{stack.ports.sandbox}").replace(":8080", f":{stack.ports.ingress}")
    line = line.replace("curl ", "curl --silent --write-out '\\n%{http_code}' ", 1)
    said = subprocess.run(line, shell=True, capture_output=True, text=True, check=True, timeout=HANG, cwd=place).stdout
    body, _, status = said.rpartition("\n")
    return body, status


def _shown_below(block: Block) -> dict[str, Any] | None:
    """Return the answer that the page shows for a block: the JSON that is the next block, at most three lines below."""
    for other in blocks(block.page):
        if other.language == "json" and 0 < other.line - block.line - block.text.count("\n") <= 5:
            shown: dict[str, Any] = orjson.loads(other.text)
            return shown
    return None
