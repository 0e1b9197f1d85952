"""Docstrings say what a function does and what a value is: no relative clause without a noun before it."""

from __future__ import annotations

import re

import pytest

from tests.support.source import PACKAGES, ROOT, docstrings, files

HEADLESS = re.compile(r"(What|Whether|Who|Whoever|Whose|In which|Where|How long)\b")
MOST = 0.02
"""The part of a folder's docstrings that may open so. The other tools of the checkout keep to it as well."""


@pytest.mark.parametrize("package", [*PACKAGES, "chaos", "bench"])
def test_docstrings_open_with_a_verb_or_a_noun(package: str) -> None:
    """A reader who does not know the code has to guess the subject of each sentence."""
    found = [(file, line, text) for file in files([package]) for line, text in docstrings(file)]
    headless = [f"{file.relative_to(ROOT)}:{line}: {text[:60]}" for file, line, text in found if HEADLESS.match(text)]
    assert len(headless) <= MOST * len(found), "\n".join(headless)
