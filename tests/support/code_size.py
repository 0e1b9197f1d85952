"""Counts lines of code, without docstrings, comments and blank lines."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeGuard

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("pipeline", "agents", "topics", "sandbox")


def sources() -> list[Path]:
    """Return every Python file that is installed, by its place in the checkout."""
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [path for path in found if not any(parent.is_symlink() for parent in path.parents)]


def file_size(path: Path) -> int:
    """Return the lines of code in a file."""
    return len(_code_lines(path.read_text()))


def function_sizes(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each function with the lines of code in its body."""
    source = path.read_text()
    lines = _code_lines(source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = range(node.body[0].lineno, (node.end_lineno or 0) + 1)
            yield f"{path.relative_to(ROOT)}: {node.name}", len(lines.intersection(body))


def _code_lines(source: str) -> set[int]:
    lines = {
        number
        for number, line in enumerate(source.split("\n"), 1)
        if line.strip() and not line.lstrip().startswith("#")
    }
    for node in ast.walk(ast.parse(source)):
        if _is_docstring(node):
            lines.difference_update(range(node.lineno, (node.end_lineno or 0) + 1))
    return lines


def _is_docstring(node: ast.AST) -> TypeGuard[ast.Expr]:
    """Return True for a string that stands alone as a statement."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
