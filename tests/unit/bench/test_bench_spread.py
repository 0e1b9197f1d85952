"""The benchmark's statistics."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.spread import Spread, percentile

VALUES = st.lists(st.floats(0, 1e6), min_size=1)


@given(VALUES, st.floats(0, 1))
def test_a_percentile_is_one_of_the_values_and_covers_its_share(values: list[float], share: float) -> None:
    """A p99 that is too low would make every latency that is published a lie."""
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (0.5, 50.0), (0.99, 99.0), (1.0, 100.0)])
def test_percentiles_are_those_of_the_nearest_rank(share: float, expected: float) -> None:
    """An off-by-one would show the longest latency as the p99."""
    assert percentile([float(value) for value in range(1, 101)], share) == expected


def test_a_percentile_of_nothing_is_an_error() -> None:
    """A run without answers must fail and not report 0 ms."""
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_a_spread_shows_how_far_the_rounds_lie_apart() -> None:
    """Who reads a median without its spread can't see that the machine was busy."""
    assert Spread.of([3_000, 1_000, 2_000]).text() == "2,000 (1,000-3,000)"
    assert Spread.of([12.34]).text(1) == "12.3"
