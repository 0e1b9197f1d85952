"""The code blocks of the README and of docs/, and how each of them runs.

A block's language says how it runs:

- `python`: below the blocks before it on its page, in one namespace. A block with `await` or `self` outside of a
  function is the body of a hook, functions with `self` are hooks of a class. Each new handler is given an event of
  every kind, and each new test is called.
- `pycon`: as a doctest.
- `yaml`: a tenants file, or rules for Prometheus.
- `dotenv`: settings.
- `sh`: each command is parsed by the program that it names. `tests/integration/test_doc_commands.py` runs those that
  speak to a stack.
- `json`: what the command above it prints, or an event.

A block in any other language is there to be looked at. So is a block whose page is tested as a whole elsewhere.
"""

from __future__ import annotations

import ast
import re
import shlex
import shutil
from collections.abc import Iterator
from enum import Enum, auto
from pathlib import Path
from textwrap import indent
from typing import Any, Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
PAGES: Final = (ROOT / "README.md", *sorted(DOCS.glob("*.md")))
PROGRAMS: Final = ("pipeline", "python", "curl", "make", "pytest")
"""Commands that a block may call, if the block is to run."""
NEEDS_CURL: Final = pytest.mark.skipif(not shutil.which("curl"), reason="the page calls curl, which is not installed")
"""`make test` needs only Python and make; what a page does with curl is tested where it is installed."""
_CLASS: Final = "class Documented(EventHandler):\n"
_HOOK: Final = "    async def process_message(self, webhook):"
_FENCE: Final = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```", re.M | re.S)
_SETTING: Final = re.compile(r"[A-Z_]+=\S*")
_LANGUAGES: Final = frozenset({"python", "pycon", "yaml", "dotenv", "sh", "", "json"})


class Block(NamedTuple):
    """One fenced block: its page, the line that it begins in, its language, its title and its text."""

    page: Path
    line: int
    language: str
    title: str | None
    text: str

    @property
    def name(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def runs(self) -> bool:
        """Return True if a test runs it."""
        if self.language in {"sh", ""}:
            found = commands(self)
            return bool(found) and all(each.program in PROGRAMS for each in found)
        return self.language in _LANGUAGES


class Shell(NamedTuple):
    """One command line: the settings before it, the program, its arguments, and the line as it is written."""

    settings: dict[str, str]
    program: str
    arguments: list[str]
    line: str


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page, in order."""
    text = page.read_text()
    return [_block(page, text, found) for found in _FENCE.finditer(text)]


def _block(page: Path, text: str, found: re.Match[str]) -> Block:
    language, info, code = found.groups()
    title = re.search(r'title="([^"]+)"', info)
    return Block(page, text[: found.start()].count("\n") + 2, language, title and title[1], code)


def running(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page that a test runs."""
    return (block for block in blocks(page) if block.runs)


class Shape(Enum):
    """What a block of Python is: hooks without their class, the body of a hook, or whole as it stands."""

    HOOKS = auto()
    BODY = auto()
    MODULE = auto()


def shape_of(text: str) -> Shape:
    """Return the shape of a block. A body awaits something outside of functions and classes, or asks `self`."""
    shown = ast.parse(f"async def lines():\n{indent(text, '    ')}").body[0]
    assert isinstance(shown, ast.AsyncFunctionDef)
    if any(_is_method(each) for each in shown.body):
        return Shape.HOOKS
    return Shape.BODY if _is_body_of_a_hook(shown) else Shape.MODULE


def define(block: Block, names: dict[str, Any]) -> list[Any]:
    """Run a block of Python in the namespace of its page, and return what it defines anew. Hooks get a class."""
    before = dict(names)
    match shape_of(block.text):
        case Shape.HOOKS:
            more = "" if "def process_message" in block.text else f"{_HOOK} ...\n"
            code = _CLASS + more + indent(block.text, "    ")
        case Shape.BODY:
            code = f"{_CLASS}{_HOOK}\n{indent(block.text, '        ')}"
        case Shape.MODULE:
            code = block.text
    exec(compile(code, block.name, "exec"), names)
    return [value for name, value in names.items() if before.get(name) is not value]


def _is_method(node: ast.stmt) -> bool:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return isinstance(node, functions) and [arg.arg for arg in node.args.args][:1] == ["self"]


def _is_body_of_a_hook(shown: ast.AsyncFunctionDef) -> bool:
    opaque = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    waiting: list[ast.AST] = list(shown.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)) or _is_self(node):
            return True
        if not isinstance(node, opaque):
            waiting += ast.iter_child_nodes(node)
    return False


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def commands(block: Block) -> list[Shell]:
    """Return the command lines of a block. A line that is no command, such as output, has the program `…`."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [_shell(line) for line in lines if line.strip() and not line.startswith("#")]


def _shell(line: str) -> Shell:
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return Shell({}, "…", [], line)
    settings: dict[str, str] = {}
    while words and _SETTING.fullmatch(words[0]):
        name, _, value = words.pop(0).partition("=")
        settings[name] = value
    if not words:
        return Shell(settings, "…", [], line)
    return Shell(settings, words[0].removeprefix(".venv/bin/"), words[1:], line)


def prose(page: Path) -> str:
    """Return the text of a page, without its blocks and without what a program writes into it."""
    text = _FENCE.sub("", page.read_text())
    return re.sub(r"<!-- [^>]*written by .*?<!-- End [^>]*-->", "", text, flags=re.S)


def cells(text: str) -> Iterator[str]:
    """Yield the cells of the tables in a text."""
    for line in text.splitlines():
        if line.startswith("|"):
            yield from (cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|")))
