"""Texts that are no proper Unicode: a lone surrogate becomes U+FFFD, and a byte order mark is skipped.

JSON may spell half of a surrogate pair (`"\\ud83d"`: a text that was cut in the middle of an emoji), and Python's
strings may hold one. No UTF-8 has a form for it, so neither orjson nor Kafka nor a provider takes it.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from typing import Any, Final, TypeVar, cast

import orjson
from pydantic_core import to_jsonable_python

T = TypeVar("T")

_ESCAPES: Final = re.compile(
    rb"""
    (?P<proper> \\u [dD][89abAB][0-9a-fA-F]{2} \\u [dD][c-fC-F][0-9a-fA-F]{2} | \\[^u] )
    | \\u [dD][89a-fA-F][0-9a-fA-F]{2}
    """,
    re.VERBOSE | re.DOTALL,
)
"""A surrogate pair or an escape of one character, so that what follows it is read right; else a lone surrogate."""
_REPLACEMENT: Final = rb"\ufffd"


def loads(content: bytes | str) -> Any:
    """The value of a JSON text. Raises `orjson.JSONDecodeError`."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        repaired = _repaired(content if isinstance(content, bytes) else well_formed(content).encode())
        return orjson.loads(repaired)


def well_formed(value: T) -> T:
    """A text, or the same JSON in which every text is one that UTF-8 has a form for."""
    return cast(T, _mended(value))


def as_json(value: T) -> T:
    """A well-formed copy of anything that JSON has a form for: tuples are lists, members of enums their values.

    Raises `ValueError` for what it has none for.
    """
    try:
        return cast(T, _mended(to_jsonable_python(value)))
    except UnicodeEncodeError:  # a surrogate in a name
        return cast(T, _mended(to_jsonable_python(_mended(value))))


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else _proper(value)
    if isinstance(value, dict):
        return {_mended(name): _mended(item) for name, item in value.items()}
    return [_mended(item) for item in value] if isinstance(value, list | tuple) else value


def _proper(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _repaired(content: bytes) -> bytes:
    return _ESCAPES.sub(lambda found: found[0] if found["proper"] else _REPLACEMENT, content.removeprefix(BOM_UTF8))
