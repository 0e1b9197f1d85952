"""Load a webhook's bytes as a JSON object."""

from __future__ import annotations

from typing import Any

import orjson

from pipeline.errors import InvalidRecord
from pipeline.unicode import loads


def load_object(value: bytes) -> dict[str, Any]:
    """Return the object. Raises `InvalidRecord` if the bytes are no JSON object, or are nested too deeply to encode."""
    try:
        webhook = loads(value)
    except orjson.JSONDecodeError as error:
        raise InvalidRecord(f"not JSON: {error.msg} at character {error.pos}") from None
    if type(webhook) is not dict:
        raise InvalidRecord(f"not a JSON object: {type(webhook).__name__}")
    _require_writable(webhook, value)
    return webhook


def _require_writable(webhook: dict[str, Any], value: bytes) -> None:
    """Raise `InvalidRecord` for deep nesting. An event adds levels, and orjson reads deeper than it writes."""
    if value.count(b"[") > 100 or value.count(b"{") > 100:
        try:
            orjson.dumps([[[[webhook]]]])
        except TypeError:
            raise InvalidRecord("nested too deeply") from None
