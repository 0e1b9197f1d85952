"""The code of docs/caches.md and the first of docs/handlers.md do what the pages say."""

from __future__ import annotations

import asyncio
from textwrap import indent
from typing import Any

import pytest

from pipeline.handlers import EventHandler, HandlerRunner
from pipeline.state import MemoryStore
from pipeline.topics.commands import Command
from tests.support import doc_blocks
from tests.support.doc_blocks import DOCS
from tests.support.handler_events import USER, settings, tenants, text


def blocks(page: str) -> list[str]:
    """Return the Python blocks of a page."""
    return [block.text for block in doc_blocks.blocks(DOCS / page) if block.language == "python"]


def run(kind: type[EventHandler]) -> list[Command]:
    async def handled() -> list[Command]:
        runner = HandlerRunner(settings(), tenants(acme=None), MemoryStore())
        runner._handlers["acme"] = kind()
        commands = await runner.run(text())
        assert await runner.run(text()) == commands
        return commands + await runner.give_up(text(message_id="wamid.failed"), ValueError())

    return asyncio.run(handled())


@pytest.mark.parametrize("block", blocks("caches.md"))
def test_the_code_about_caches(block: str) -> None:
    """Whoever copies it into a hook would get an error, or another row than the page says."""
    made: dict[str, Any] = {}
    exec("async def process_message(self, webhook):\n" + indent(block, "    "), made)
    kind: Any = type("Documented", (EventHandler,), {"process_message": made["process_message"]})
    run(kind)


def test_the_first_example_answers() -> None:
    """If the page's first example did nothing, neither would a copy of it."""
    made: dict[str, Any] = {}
    exec("async def process_message(self, webhook):\n" + indent(blocks("caches.md")[0], "    "), made)
    kind: Any = type("Documented", (EventHandler,), {"process_message": made["process_message"]})
    (command,) = run(kind)
    assert command.body["text"] == "1 start ['4711']"


def test_the_front_page_shows_a_handler_that_answers() -> None:
    """The first code that a visitor of the site sees would not run."""
    made: dict[str, Any] = {"__name__": "documented"}
    (block,) = blocks("index.md")
    exec(block, made)
    (command,) = run(made["ShopHandler"])
    assert command.body["text"] == "Welcome! Visit 1."


def test_the_code_about_handlers() -> None:
    """Whoever starts from it would start with a class that does not load."""
    made: dict[str, Any] = {"__name__": "documented"}
    exec(blocks("handlers.md")[0], made)
    answer, apology = run(made["ShopHandler"])
    assert answer.body["text"] == f"Hello, {USER}"
    assert apology.body["text"].startswith("Sorry")
