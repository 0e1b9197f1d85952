"""docs/glossary.md: terms in order, each with one sentence and a link, and a table that a program can read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[3] / "docs" / "glossary.md"
TERM = re.compile(r"^- \*\*(?P<term>[^*]+)\*\*: (?P<sentence>(?:[^.`]|`[^`]+`)+\.) \(\[[^\]]+\]\([^)]+\)\)$")
RETIRED = re.compile(r"^\| `(?P<word>\w+)` \| (?P<use>[^|]+) \| (?P<reason>[^|]*) \|$")


class Retired(NamedTuple):
    """An identifier that must not come back, and the one to use."""

    word: str
    use: str
    reason: str


def retired() -> list[Retired]:
    """Return the rows of the table of retired words."""
    table = PAGE.read_text().partition("## Retired words")[2]
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    found = [RETIRED.match(row) for row in rows]
    assert all(found), [row for row, match in zip(rows, found, strict=True) if match is None]
    return [Retired(*match.groups()) for match in found if match is not None]


def test_each_term_is_defined_in_one_sentence_with_a_link() -> None:
    """A definition of several claims, or without the code, leaves its reader guessing."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("- ")]
    assert len(lines) > 30
    assert [line for line in lines if not TERM.match(line)] == []


def test_terms_are_in_alphabetical_order_and_there_once() -> None:
    """A term that is defined twice has two meanings."""
    terms = [match["term"].lower() for match in map(TERM.match, PAGE.read_text().splitlines()) if match]
    assert terms == sorted(set(terms))


def test_retired_words_are_there_once() -> None:
    """Two rows could name two successors."""
    words = [each.word for each in retired()]
    assert len(words) == len(set(words))
