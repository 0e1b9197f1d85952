"""Paths of URLs, in which no id changes where a request goes."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from pipeline.errors import InvalidRecord

_STEPS: Final = re.compile(r"(?:.*[/\\])?\.\.?(?:[/\\;].*)?", re.S)
"""What is a step for a server that decodes a segment before it splits the path, or takes what is behind `;` off."""
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")


def url_path(*parts: str) -> str:
    """`/a/b` of its parts, each quoted, so that every part is one segment whatever is in it.

    Raises `InvalidRecord` for an empty part, for `.` and `..`, which clients and servers take out of a path though they
    are quoted, and for what no id has: steps inside and control characters.
    """
    return "".join(f"/{_segment(part)}" for part in parts)


def _segment(part: str) -> str:
    if not part or _STEPS.fullmatch(part) or _CONTROLS.search(part):
        raise InvalidRecord("an id in a URL is empty, has . or .. as a step, or a line break: nothing is called so")
    try:
        return quote(part, safe="@")
    except UnicodeEncodeError:
        raise InvalidRecord("an id in a URL holds half of a character") from None
