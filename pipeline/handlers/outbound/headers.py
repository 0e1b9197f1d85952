"""The header of an interactive message: a text, or a medium that the provider has or can fetch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipeline.errors import Unsendable
from pipeline.handlers.outbound import checks
from pipeline.handlers.outbound.models import HeaderType, InteractiveHeader

Header = InteractiveHeader | Mapping[str, Any] | str | None
"""A header; a string is a text header."""

_TYPES: Final = tuple(HeaderType)


def header_of(value: object) -> dict[str, Any] | None:
    """Return the header of a command's body: `{"type": "text", "text"}` or `{"type", "media"}`; None for none."""
    if value is None or value == "":
        return None
    header = _model({"type": "text", "text": value} if isinstance(value, str) else value)
    if header.type is HeaderType.TEXT:
        limit = (checks.SHORT, "HEADER_TOO_LONG")
        return {
            "type": "text",
            "text": checks.text("header's text", header.text, *limit, missing="INVALID_TEXT_HEADER"),
        }
    return {"type": header.type.value, "media": _medium(header)}


def text_header(value: object) -> dict[str, Any] | None:
    """Return the header of a message that allows text only."""
    header = header_of(value)
    if header and header["type"] != "text":
        raise Unsendable("the header of this message can only be text", "INVALID_HEADER_TYPE")
    return header


def _model(value: object) -> InteractiveHeader:
    if isinstance(value, Mapping):
        if value.get("type") not in _TYPES:
            raise Unsendable(f"the header's type is none of {', '.join(HeaderType)}", "INVALID_HEADER_TYPE")
        if "media" in value:
            value = {"type": value["type"], value["type"]: value["media"]}
    return checks.model(InteractiveHeader, value, "INVALID_MEDIA_HEADER")


def _medium(header: InteractiveHeader) -> dict[str, Any]:
    return medium(getattr(header, header.type.value), header.type.value)


def medium(value: Mapping[str, Any] | None, what: str) -> dict[str, Any]:
    """Return `{"id"}` or `{"link"}`, with a file name if there is one."""
    source = next((name for name in ("id", "link") if value and value.get(name)), None)
    if value is None or source is None:
        raise Unsendable(f"the {what} of the header has neither an id nor a link", "INVALID_MEDIA_HEADER")
    if source == "link":
        checks.url(value[source])
    name = value.get("filename")
    return {source: str(value[source])} | ({"filename": str(name)} if name else {})
