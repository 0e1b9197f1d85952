"""The code of docs/write-an-agent.md and docs/from-wappa.md runs as it stands there."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.new_agent import _AGENT
from pipeline.testing import HandlerDriver, incoming_text
from pipeline.wappa import Wappa
from tests.support.doc_blocks import DOCS
from tests.unit.docs.test_handler_docs import blocks


def test_the_page_about_agents_runs_from_top_to_bottom() -> None:
    """Whoever follows it would stop at the first error, and blame themselves."""
    made: dict[str, Any] = {"__name__": "documented"}
    for block in blocks("write-an-agent.md"):
        exec(block, made)
    suite = made["TestVisits"]()
    tests = [name for name in dir(suite) if name.startswith("test_")]
    assert len(tests) >= 8
    for name in tests:
        getattr(suite, name)()


def test_the_page_shows_the_agent_that_the_command_writes() -> None:
    """The reader would look for the difference between the page and the file."""
    shown, written = (
        _function(each) for each in (blocks("write-an-agent.md")[0], _AGENT.format(name="visits", title=""))
    )
    assert shown == written


def _function(code: str) -> str:
    return next(ast.unparse(each) for each in ast.parse(code).body if isinstance(each, ast.AsyncFunctionDef))


def test_the_application_on_the_page_about_moving_over_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first thing that somebody who moves over copies would not start."""
    monkeypatch.chdir(tmp_path)
    made: dict[str, Any] = {"__name__": "documented"}
    exec(blocks("from-wappa.md")[0], made)
    app = made["app"]
    assert isinstance(app, Wappa)
    assert app.event_handler is not None
    driver = HandlerDriver(app.event_handler)
    driver.handle(incoming_text("hi"), incoming_text("again"))
    assert driver.texts == ["Visit 1. How can I help you?", "Visit 2. How can I help you?"]


def test_the_pages_that_others_point_to_are_there() -> None:
    """An error would send its reader to a page that does not exist."""
    for page in (
        "from-wappa.md",
        "write-an-agent.md",
        "handlers.md",
        "caches.md",
        "wappa-compatibility.md",
        "dead-letters.md",
    ):
        assert (DOCS / page).is_file()
