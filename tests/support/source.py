"""The source files of the project as syntax trees, for laws about names and texts."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipeline", "agents", "topics", "sandbox")
"""The folders that are installed as parts of `pipeline`."""


@cache
def tree(file: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(file.read_text(), str(file))


def files(packages: Sequence[str] = PACKAGES) -> list[Path]:
    """Return the files of these folders, each once: links to folders are not followed."""
    return sorted(file for package in packages for file in _files(ROOT / package))


def _files(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            yield from _files(entry)
        elif entry.suffix == ".py":
            yield entry


def docstrings(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the docstrings of a file with their lines, including those behind constants."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value.strip()
