"""How values are stored: as JSON that reads back as the same value, or not at all."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.state.encoding import appended, decode, encode, integer, is_list

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
NAMES = TEXT.filter(lambda name: name not in {"$date", "$datetime"})
"""Without those of points in time, which are refused."""
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_json_values_survive(value: object) -> None:
    """If some JSON value did not survive, a handler would read something else than it wrote."""
    assert decode(encode(value)) == value


@given(st.datetimes() | st.datetimes(timezones=st.just(datetime.UTC)) | st.dates(), JSON)
def test_points_in_time_survive_wherever_they_stand(value: object, beside: object) -> None:
    """A model's `model_dump()`, which is what most applications store, would be refused, or read back as text."""
    row = {"at": value, "all": [value, beside], "in": {"it": value, "beside": beside}}
    assert decode(encode(row)) == row


@given(st.lists(JSON, max_size=5), st.lists(JSON, min_size=1, max_size=3))
def test_appending_text_is_appending_values(before: list[object], items: list[object]) -> None:
    """If splicing JSON differed from appending, one odd item would break the whole list."""
    joined = b",".join(encode(item) for item in items)
    assert decode(appended(encode(before), joined)) == before + items
    assert decode(appended(None, joined)) == items
    assert is_list(encode(before)) and is_list(None)


@given(JSON)
def test_only_integers_and_lists_take_operations(value: object) -> None:
    """If an operation took a field of another type, Redis would refuse half of a commit."""
    data = encode(value)
    assert is_list(data) == isinstance(value, list)
    countable = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**15
    assert (integer(data) is not None) == countable


@pytest.mark.parametrize(
    "value",
    [{"t": (1,)}, float("inf"), 1 + 2j, datetime.time(12), {"$date": "2026-01-01"}, {"$datetime": "soon"}],
)
def test_refusals_name_the_way_out_and_not_the_value(value: object) -> None:
    """If an error quoted the value, what a user wrote would be in the logs."""
    with pytest.raises(TypeError, match="pydantic model") as caught:
        encode({"secret words": value})
    assert "secret words" not in str(caught.value)
