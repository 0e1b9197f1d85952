"""Replace lone surrogates by U+FFFD, and skip byte order marks.

JSON may contain half of a surrogate pair (`"\\ud83d"`: a text that was cut in the middle of an emoji), and so may
Python's strings. UTF-8 can't encode it, so orjson, Kafka and the providers reject it.
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
"""Matches surrogate pairs and escapes of one character, so that the rest is read correctly, and lone surrogates."""
_REPLACEMENT: Final = rb"\ufffd"


def loads(content: bytes | str) -> Any:
    """Return the value of a JSON text. Raise `orjson.JSONDecodeError`."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        repaired = _repaired(content if isinstance(content, bytes) else well_formed(content).encode())
        return orjson.loads(repaired)


def well_formed(value: T) -> T:
    """Return the text or the JSON with every text encodable as UTF-8."""
    return cast(T, _mended(value))


def as_json(value: T) -> T:
    """Return a well-formed copy of a value that JSON can express: tuples become lists, members of enums their values.

    Raise `ValueError` for other values.
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
