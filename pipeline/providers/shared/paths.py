"""Build paths of URLs in which no id can change the destination."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from pipeline.errors import InvalidRecord

_STEPS: Final = re.compile(r"(?:.*[/\\])?\.\.?(?:[/\\;].*)?", re.S)
"""Dot segments, also for servers that decode a segment before they split the path, or that cut a segment at `;`."""
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")


def url_path(*parts: str) -> str:
    """Return `/a/b` of its parts. Each part is quoted, so that it is exactly one segment.

    Raises `InvalidRecord` for an empty part, for `.` and `..`, which clients and servers remove even if they are
    quoted, and for characters that no id contains: dot segments inside and control characters.
    """
    return "".join(f"/{_segment(part)}" for part in parts)


def _segment(part: str) -> str:
    if not part or _STEPS.fullmatch(part) or _CONTROLS.search(part):
        raise InvalidRecord("an id in a URL is empty, has . or .. as a step, or a line break: nothing is called so")
    try:
        return quote(part, safe="@")
    except UnicodeEncodeError:
        raise InvalidRecord("an id in a URL holds half of a character") from None
