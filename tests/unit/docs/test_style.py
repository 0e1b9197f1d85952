"""The documents are written for their readers: more to run than to read, short cells, and a `you` in them."""

from __future__ import annotations

import re

from tests.support.doc_blocks import PAGES, cells, prose, running

REFERENCES = {
    "wappa-compatibility.md": "a table of every name of Wappa's, written by a program",
    "configuration.md": "a table of every setting, written by a program",
    "error-codes.md": "a table of every error code, written by a program",
    "metrics.md": "a table of every metric, written by a program",
    "glossary.md": "a list of terms to look one up in, not a text to read",
}
"""Pages that nobody reads from top to bottom, and why they are not counted as text."""
TEXTS = [page for page in PAGES if page.name not in REFERENCES]
WORDS_PER_BLOCK = 200
WORDS_IN_A_CELL = 25
YOU_PER_THOUSAND = 10


def test_there_are_few_words_to_each_block_that_runs() -> None:
    """Readers look for something to run and change; a page without it is read by its author alone."""
    words = {page.name: len(prose(page).split()) for page in TEXTS}
    code = {page.name: len(list(running(page))) for page in TEXTS}
    measured = sum(words.values()) / sum(code.values())
    assert measured < WORDS_PER_BLOCK, {name: (words[name], code[name]) for name in words}


def test_no_cell_of_a_table_is_a_paragraph() -> None:
    """A table is for finding something at a glance; a cell of five lines is a text that nobody finds anything in."""
    long = [(page.name, cell) for page in PAGES for cell in cells(prose(page)) if len(cell.split()) > WORDS_IN_A_CELL]
    assert not long


def test_the_reader_is_spoken_to() -> None:
    """A text without a `you` says how things are, and leaves it to its reader to find out what to do."""
    text = " ".join(prose(page) for page in TEXTS)
    said = len(re.findall(r"\byou(?:rs?|rself)?\b", text, re.I))
    assert said * 1000 / len(text.split()) >= YOU_PER_THOUSAND
