"""Handlers are imported as a worker imports them, in a process that they may end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.cli._handler_check import find_problems, require_handlers
from pipeline.errors import UsageError
from pipeline.topics.agents import AgentEntry

GOOD = "pipeline.agents.handlers.echo.EchoHandler"


def test_a_handler_is_found_with_the_workers_own_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that reads an address of the stack on import would be refused, or one without it be called well."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_bot.py").write_text(
        "import os\nfrom pipeline import EventHandler\nprint('hello')\nKAFKA = os.environ['MY_KAFKA']\n"
        "class Bot(EventHandler):\n    async def process_message(self, webhook):\n        pass\n"
    )
    found = find_problems(["my_bot.Bot", GOOD], environ={**os.environ, "MY_KAFKA": "here"})
    assert found == {"my_bot.Bot": "", GOOD: ""}
    assert "MY_KAFKA" in find_problems(["my_bot.Bot"])["my_bot.Bot"]


def test_a_handler_that_ends_its_process_or_hangs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pipeline up` would end without a word, or wait for ever, before anything has started."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ends.py").write_text("import sys\nsys.exit('no licence')\n")
    assert find_problems([GOOD, "ends.Bot"])["ends.Bot"] == (
        "importing the handler ends.Bot ends the process (exit status 1): no licence"
    )
    (tmp_path / "hangs.py").write_text("import time\ntime.sleep(600)\n")
    assert "hook, not on import" in find_problems(["hangs.Bot"], timeout=0.01)["hangs.Bot"]


def test_each_wrong_handler_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka would start for ten seconds before a typing error is told, and then one handler at a time."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "code.py").write_text("class Bot: ...\n")
    with pytest.raises(UsageError) as refused:
        require_handlers([GOOD, "code.Bot", "no.such.Bot"], [], None)
    lines = str(refused.value).splitlines()
    assert len(lines) == 2
    assert "code is also the name of a module of Python" in lines[0]
    assert "no.such.Bot" in lines[1]


def test_agents_beside_the_handlers_are_imported_too() -> None:
    """A wrong path of an agent would be found by its worker, which nobody looks at while the bot answers."""
    good, bad = AgentEntry(id="count", agent=GOOD), AgentEntry(id="crm", agent="no.such.agent")
    found = find_problems([], [good, bad])
    assert found[f"count: {GOOD}"] == ""
    assert "the agent crm, no.such.agent, can't be imported" in found["crm: no.such.agent"]
