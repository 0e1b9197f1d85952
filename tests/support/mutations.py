"""Real webhooks with something wrong in them: in their JSON, in their bytes, in both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import orjson
from hypothesis import strategies as st

from tests.support.cloud_webhooks import anything, places

MUTATIONS = int(os.environ.get("PIPELINE_MUTATIONS", "300"))
"""How many mutated webhooks a test looks at; 100,000 take some minutes."""

STRUCTURE = st.sampled_from(
    [b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"null", b"-", b"1e999", b"\xff", b"\x00"],
)


class Corpus(tuple[bytes, ...]):
    """Bodies of real webhooks. A failure does not print all of them."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} webhooks>"


@st.composite
def mutated(draw: st.DrawFn, bodies: Corpus) -> bytes:
    """One of `bodies` with up to four changes of its JSON, and now and then of its bytes."""
    whole = orjson.loads(bodies[draw(st.integers(0, len(bodies) - 1))])
    for _ in range(draw(st.integers(0, 4))):
        _change(draw, whole)
    body = orjson.dumps(whole)
    return garbled(draw, body) if draw(st.integers(0, 4)) == 0 else body


def _change(draw: st.DrawFn, whole: Any) -> None:
    """Replaces, removes, doubles, renames, moves or empties something anywhere."""
    found = list(places(whole))
    if not found:
        return
    holder, key = draw(st.sampled_from(found))
    match draw(st.integers(0, 5)):
        case 0:
            holder[key] = draw(anything)
        case 1:
            del holder[key]
        case 2 if isinstance(holder, list):
            holder.insert(draw(st.integers(0, len(holder))), orjson.loads(orjson.dumps(holder[key])))
        case 3 if isinstance(holder, dict):
            name = draw(st.sampled_from(sorted(_names(whole))))
            holder[name] = holder.pop(key)
        case 4:
            other, place = draw(st.sampled_from(found))
            holder[key] = orjson.loads(orjson.dumps(other.get(place) if isinstance(other, dict) else other))
        case _:
            holder[key] = draw(st.sampled_from([None, [], {}, "", 0, True, [None], [[]], [{}]]))


def _names(whole: Any) -> Iterator[str]:
    return (key for _, key in places(whole) if isinstance(key, str))


def garbled(draw: st.DrawFn, body: bytes) -> bytes:
    """`body` with a few bytes of it taken away, and a few others in their place."""
    start = draw(st.integers(0, len(body)))
    end = min(len(body), start + draw(st.integers(0, 8)))
    return body[:start] + draw(st.one_of(STRUCTURE, st.binary(max_size=4))) + body[end:]
