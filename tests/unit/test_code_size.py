"""Functions and files stay as short as they are."""

from __future__ import annotations

import statistics

from tests.support.code_size import file_size, function_sizes, sources

MAX_FILE = 391
"""Lines of code in one file."""
MAX_FUNCTION = 41
"""Lines of code in one function."""


def test_no_file_is_longer_than_one_idea() -> None:
    """A newcomer would have to read hundreds of lines to find the one that matters."""
    sizes = {str(path): file_size(path) for path in sources()}
    assert len(sizes) > 400
    assert {name: size for name, size in sizes.items() if size > MAX_FILE} == {}


def test_most_functions_fit_into_a_few_lines() -> None:
    """A stage would not be readable from one screen."""
    sizes = dict(pair for path in sources() for pair in function_sizes(path))
    assert {name: size for name, size in sizes.items() if size > MAX_FUNCTION} == {}
    assert statistics.median(sizes.values()) <= 3
    assert sorted(sizes.values())[int(len(sizes) * 0.9)] <= 10
