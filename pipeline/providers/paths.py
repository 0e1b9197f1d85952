"""Paths of URLs, in which no id changes where a request goes."""

from __future__ import annotations

from urllib.parse import quote

from pipeline.errors import InvalidRecord


def url_path(*parts: str) -> str:
    """`/a/b` of its parts, each quoted, so that every part is one segment whatever is in it.

    Raises `InvalidRecord` for an empty part, `.` and `..`: quoted or not, clients and servers take those out of a path.
    """
    return "".join(f"/{_segment(part)}" for part in parts)


def _segment(part: str) -> str:
    if part in {"", ".", ".."}:
        raise InvalidRecord("an id in a URL is empty, . or ..: no message, chat or medium is called so")
    try:
        return quote(part, safe="@")
    except UnicodeEncodeError:
        raise InvalidRecord("an id in a URL holds half of a character") from None
