"""A webhook's bytes as the JSON object that they must be."""

from __future__ import annotations

from typing import Any

import orjson

from pipeline.errors import InvalidRecord
from pipeline.unicode import loads


def load(value: bytes) -> dict[str, Any]:
    """The object. Raises `InvalidRecord` for bytes that are none, and for one too deep to be written again."""
    try:
        webhook = loads(value)
    except orjson.JSONDecodeError as error:
        raise InvalidRecord(f"not JSON: {error.msg} at character {error.pos}") from None
    if type(webhook) is not dict:
        raise InvalidRecord(f"not a JSON object: {type(webhook).__name__}")
    _require_writable(webhook, value)
    return webhook


def _require_writable(webhook: dict[str, Any], value: bytes) -> None:
    """An event holds its part some levels deeper than the webhook did, and orjson reads deeper than it writes."""
    if value.count(b"[") > 100 or value.count(b"{") > 100:
        try:
            orjson.dumps([[[[webhook]]]])
        except TypeError:
            raise InvalidRecord("nested too deeply") from None
