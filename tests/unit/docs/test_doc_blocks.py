"""Every code block of the README and of docs/ runs as it stands there; `tests/support/doc_blocks.py` says how."""

from __future__ import annotations

import asyncio
import doctest
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
import typer
import yaml
from typer.main import get_command

import bench.__main__
import chaos.__main__
import pipeline
from pipeline.cli import app
from pipeline.handlers import EventHandler
from pipeline.metrics import exposition
from pipeline.settings import Settings
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import (
    AgentConformance,
    HandlerDriver,
    TestRecord,
    api_message,
    error_event,
    incoming_image,
    incoming_selection,
    incoming_text,
    status_event,
)
from pipeline.topics.events import EventBase, decode
from tests.support.doc_blocks import PAGES, ROOT, Block, Shell, commands, define, running

ELSEWHERE = {
    "new-provider.md": "python",  # parts of tests/support/pigeon.py, which its conformance suite runs
    "README.md": "python",  # the sample handler, which tests/integration/test_readme.py runs
    "tutorial.md": "python",  # files of a project, which tests/unit/docs/test_tutorial.py runs
}
"""Blocks that need more around them than their page has: their language, by page."""
BLOCKS = [block for page in PAGES for block in running(page) if ELSEWHERE.get(page.name) != block.language]
SCRIPTS: dict[str, Callable[..., None]] = {"bench": bench.__main__.main, "chaos": chaos.__main__.main}


def written(*languages: str) -> list[Any]:
    return [pytest.param(each, id=each.name) for each in BLOCKS if each.language in languages]


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in ELSEWHERE], ids=lambda page: page.name)
def test_the_code_of_a_page_runs_from_top_to_bottom(page: Any) -> None:
    """Readers would copy an error, and blame themselves."""
    names: dict[str, Any] = {"__name__": "documented"}
    exec("from pipeline import *", names)
    for block in running(page):
        if block.language == "python":
            run(block, names)


def run(block: Block, names: dict[str, Any]) -> None:
    """Run one block in the namespace of its page, and whatever it defines."""
    for value in define(block, names):
        _try(value)


def _try(value: Any) -> None:
    """Give a new handler an event of each kind; call a new test."""
    if isinstance(value, type) and issubclass(value, AgentConformance) and value is not AgentConformance:
        for name in dir(value):
            if name.startswith("test_"):
                getattr(value(), name)()
    elif isinstance(value, type) and issubclass(value, EventHandler) and not inspect.isabstract(value):
        _drive(value())
    elif isinstance(value, EventHandler):
        _drive(value)
    elif inspect.isfunction(value) and value.__name__.startswith("test_"):
        result = value()
        if inspect.iscoroutine(result):
            asyncio.run(result)


def _drive(handler: EventHandler) -> None:
    for event in _every_kind():
        driver = HandlerDriver(handler)
        sent = [command for command in driver.handle(event) if command.kind != "read"]  # goes out at once, unrecorded
        assert driver.handle(event) == sent, "a redelivery is the same"


def _every_kind() -> Iterator[EventBase]:
    yield incoming_text("hi", name="Ana")
    yield incoming_image("a cat")
    yield incoming_selection("yes")
    yield status_event("read")
    yield error_event(131000)
    yield api_message(text="Parcel")


@pytest.mark.parametrize("block", written("pycon"))
def test_what_an_interpreter_shows_is_what_it_says(block: Block) -> None:
    """Readers who try it would see something else."""
    test = doctest.DocTestParser().get_doctest(block.text, {}, block.name, str(block.page), block.line)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
    assert not said, "".join(said)


@pytest.mark.parametrize("block", written("yaml"))
def test_every_yaml_block_is_a_file_that_is_taken(block: Block) -> None:
    """Whoever copies it would be told on the first start that it is wrong."""
    content = yaml.safe_load(block.text)
    if "groups" in content:
        known = set(re.findall(r"^# HELP (\w+)", exposition().decode(), re.MULTILINE))
        rules = [rule["expr"] for group in content["groups"] for rule in group["rules"]]
        assert {name for rule in rules for name in re.findall(r"pipeline_\w+", rule)} <= known
        return
    environ = {name: f"secret-{name}" for name in re.findall(r"env:(\w+)", block.text)}
    assert list(Tenants(TenantsFile.model_validate(content, context={"environ": environ})))


@pytest.mark.parametrize("block", written("dotenv"))
def test_every_setting_is_one(block: Block) -> None:
    """A setting that does not exist changes nothing, and says nothing."""
    _settings(dict(line.split("=", 1) for line in block.text.splitlines() if line and not line.startswith("#")))


def _settings(given: dict[str, str]) -> None:
    ours = {name.removeprefix("PIPELINE_").lower(): value for name, value in given.items() if "PIPELINE_" in name}
    beside = {"ports_from", "sandbox_accounts", "testing", "debug", "api_key", "redis_port", "kafka_port"}
    assert set(ours) - beside <= set(Settings.model_fields)
    Settings.model_validate({name: value for name, value in ours.items() if name not in beside})


@pytest.mark.parametrize("block", written("json"))
def test_every_json_block_is_json(block: Block) -> None:
    """An event is read back as one; what commands print is compared where they run."""
    content = orjson.loads(block.text)
    if isinstance(content, dict) and "event_id" in content:
        decode(TestRecord(orjson.dumps(content)))


@pytest.mark.parametrize("block", written("sh", ""))
def test_every_command_is_one(block: Block) -> None:
    """An option that is gone would be found out at three in the morning."""
    for command in commands(block):
        _settings(command.settings)
        _parse(command)


def _parse(command: Shell) -> None:
    if command.program == "pipeline":
        _accept(get_command(app), command.arguments)
    elif command.program == "make":
        target, _, given = " ".join(command.arguments).partition(" ARGS=")
        assert re.search(rf"^{target.split()[0] if target else 'help'}:", (ROOT / "Makefile").read_text(), re.M)
        _parse_script(target, given.split())
    elif command.program == "python" and command.arguments[0] == "-m":
        _parse_script(command.arguments[1], command.arguments[2:])


def _parse_script(name: str, arguments: list[str]) -> None:
    if name == "run":
        _accept(get_command(app), ["up", *arguments])
    elif name in SCRIPTS:
        script = typer.Typer()
        script.command()(SCRIPTS[name])
        _accept(get_command(script), arguments)


def _accept(command: Any, arguments: list[str]) -> None:
    """Parse arguments as the command line does, without running anything. Raises what it would tell its user."""
    with command.make_context("pipeline", list(arguments)) as context:
        if not hasattr(command, "commands"):
            return
        rest = [*context._protected_args, *context.args]
        _, below, left = command.resolve_command(context, rest)
    _accept(below, left)


def test_the_names_of_the_package_are_there() -> None:
    """Blocks use what `from pipeline import …` gives."""
    assert {"EventHandler", "MessageEvent", "agent", "Effects"} <= set(pipeline.__all__)
