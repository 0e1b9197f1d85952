"""docs/life-of-a-message.md: each step names code that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "life-of-a-message.md"
STEP = re.compile(r"^(?P<number>\d+)\. \[`(?P<name>[\w.]+)`\]\((?P<path>[^)]+)\) ", re.MULTILINE)
MAX_STEPS = 35


def _defined(file: Path, name: str) -> bool:
    """Return True if the file defines the function, the class, or the method `Class.method`."""
    body: list[ast.stmt] = ast.parse(file.read_text()).body
    for part in name.split("."):
        found = [node for node in body if isinstance(node, DEFINITIONS) and node.name == part]
        if not found:
            return False
        body = found[0].body
    return True


DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def test_each_step_names_code_that_is_there() -> None:
    """A newcomer who follows a message would look for functions that have moved or have other names."""
    steps = list(STEP.finditer(PAGE.read_text()))
    missing = [step["name"] for step in steps if not _defined((PAGE.parent / step["path"]).resolve(), step["name"])]
    assert missing == []


def test_the_way_is_short_and_its_steps_are_numbered() -> None:
    """A way of sixty calls is not read to its end."""
    numbers = [int(step["number"]) for step in STEP.finditer(PAGE.read_text())]
    assert numbers == list(range(1, len(numbers) + 1))
    assert 25 < len(numbers) <= MAX_STEPS
    assert len(re.findall(r"^\d+\. ", PAGE.read_text(), re.MULTILINE)) == len(numbers)
