"""Names: a public class name exists once, and a name that was retired does not come back."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.source import PACKAGES, ROOT, files, tree

TWICE: Mapping[str, str] = {
    "GroupParticipant": "the provider's SDK has a class of this name, which its documents show",
    "Receipt": "the provider's SDK has a class of this name, which its documents show",
}
"""Class names that exist twice, with the reason."""

GLOSSARY = ROOT / "docs" / "glossary.md"
COMPATIBLE = (ROOT / "pipeline" / "wappa",)
"""Folders whose names are another project's."""


def classes(file: Path) -> Iterator[str]:
    """Yield the names of the public classes of a file."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name


def twice(paths: Iterable[Path]) -> dict[str, list[str]]:
    """Return the class names that several files define, with these files."""
    found = defaultdict(set)
    for file in paths:
        for name in classes(file):
            found[name].add(str(file.relative_to(ROOT)))
    return {name: sorted(places) for name, places in found.items() if len(places) > 1}


def identifiers(file: Path) -> Iterator[str]:
    """Yield the names that a file defines, without leading underscores; members also as `Class.member`."""
    yield file.stem
    yield str(file.relative_to(ROOT))
    for node in ast.walk(tree(file)):
        yield from (name.lstrip("_") for name in _defined(node))
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{name}" for child in ast.walk(node) for name in _defined(child))


def _defined(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name
        case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            yield name


def retired(page: str) -> Iterator[str]:
    """Yield the retired names of the glossary's table: its first column, in backticks."""
    _, _, section = page.partition("## Retired words")
    for line in section.split("\n## ")[0].splitlines():
        cells = line.split("|")
        if len(cells) > 2:
            yield from re.findall(r"`([^`]+)`", cells[1])


def test_a_public_class_name_exists_once() -> None:
    """An editor's "go to symbol" would offer two, and one would be imported for the other."""
    assert {name: places for name, places in twice(files()).items() if name not in TWICE} == {}
    assert set(TWICE) <= set(twice(files())), "a reason for a name that exists once"


@pytest.mark.skipif(not GLOSSARY.exists(), reason="there is no glossary")
def test_retired_names_do_not_come_back() -> None:
    """A reader would find two words for one thing again."""
    words = set(retired(GLOSSARY.read_text()))
    back: dict[str, list[str]] = {}
    for file in files(PACKAGES):
        if not any(file.is_relative_to(folder) for folder in COMPATIBLE) and (
            found := words.intersection(identifiers(file))
        ):
            back[str(file.relative_to(ROOT))] = sorted(found)
    assert back == {}


def test_the_table_of_retired_names_is_read() -> None:
    """A table that is written otherwise would retire nothing."""
    page = "## Terms\n| `term` | x |\n\n## Retired words\n\n| retired | use instead |\n| --- | --- |\n"
    page += (
        "| `Door`, `take` | `WebhookReceiver` |\n| `Topic.largest` | `max_message_bytes` |\n## Next\n| `next` | x |\n"
    )
    assert list(retired(page)) == ["Door", "take", "Topic.largest"]


def test_identifiers_are_whole_names_of_every_kind() -> None:
    """A retired name of a parameter or a field would come back unseen."""
    found = set(identifiers(ROOT / "topics" / "catalogue.py"))
    assert {"catalogue", "topics/catalogue.py", "Topic", "Topic.max_message_bytes", "dedup_ttl", "RAW"} <= found
    assert "letters" not in found
