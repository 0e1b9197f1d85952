"""The two webhooks that are parsed: texts of the same words, from somebody with and without a business-scoped id."""

from __future__ import annotations

from typing import Any, Final

import orjson

from bench import webhooks

SIZE: Final = 670
"""Bytes of the usual webhook; longer numbers add a few."""
_USER: Final = "US.4815162342108"


def usual(number: int) -> bytes:
    """Return a text message as nearly all are: 670 bytes."""
    whole = orjson.loads(webhooks.body(number))
    return _padded(whole, SIZE)


def identified(number: int) -> bytes:
    """Return the same message with the ids and the username that the platform adds today."""
    whole = orjson.loads(usual(number))
    value = whole["entry"][0]["changes"][0]["value"]
    value["contacts"][0] |= {"user_id": _USER}
    value["contacts"][0]["profile"] |= {"username": "ana.k"}
    value["messages"][0] |= {"from_user_id": _USER}
    return orjson.dumps(whole)


def _padded(whole: Any, size: int) -> bytes:
    text = whole["entry"][0]["changes"][0]["value"]["messages"][0]["text"]
    text["body"] += "." * (size - len(orjson.dumps(whole)))
    return orjson.dumps(whole)
