"""Random programs over rows, for comparing one implementation with another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from pipeline.state.encoding import EMPTY
from pipeline.state.rows import Rows

Step = tuple[Any, ...]

_KEYS = st.sampled_from(["a", "b"])
_FIELDS = st.sampled_from(["x", "y"])
_VALUES = st.sampled_from([b"1", b"-5", b"0", b'"text"', b"[]", b"[1]", b"null", b"1.5", b"999999999999999", b'"[x"'])
_TTLS = st.sampled_from([None, None, 50, 100])
_ROWS = st.dictionaries(_FIELDS, _VALUES, max_size=2).map(lambda row: row or {EMPTY: b"1"})

STEPS: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("replace"), _KEYS, _ROWS, _TTLS),
    st.tuples(st.just("put"), _KEYS, _FIELDS, _VALUES, _TTLS),
    st.tuples(st.just("increment"), _KEYS, _FIELDS, st.integers(-20, 20), _TTLS),
    st.tuples(st.just("append"), _KEYS, _FIELDS, _VALUES, _TTLS),
    st.tuples(st.just("merge"), _KEYS, _ROWS, _TTLS),
    st.tuples(st.just("drop"), _KEYS, _FIELDS),
    st.tuples(st.just("swap"), _KEYS, st.one_of(st.none(), _ROWS), _ROWS, _TTLS),
    st.tuples(st.just("remove"), _KEYS),
    st.tuples(st.just("expire"), _KEYS, st.sampled_from([50, 100])),
    st.tuples(st.just("row"), _KEYS),
    st.tuples(st.just("field"), _KEYS, _FIELDS),
    st.tuples(st.just("exists"), _KEYS),
    st.tuples(st.just("ttl"), _KEYS),
)
PROGRAMS = st.lists(STEPS, max_size=12)


async def run(rows: Rows, program: Sequence[Step], tag: str) -> list[object]:
    """What each step returned."""
    return [await getattr(rows, name)(f"{tag}:{key}", *rest) for name, key, *rest in program]


async def state(rows: Rows, tag: str) -> list[object]:
    """All rows and their ttls, as they are now."""
    return [(await rows.row(f"{tag}:{key}"), await rows.ttl(f"{tag}:{key}")) for key in ("a", "b")]
