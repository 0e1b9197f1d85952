"""What an answer of Wasender's API means. The HTTP status decides: Wasender has no error codes of its own.

Success is `{"success": true, "data": {"msgId": 100000, "status": "in_progress"}}`: taken, not delivered.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, Final

import orjson

from pipeline.providers.base import Delivery, DeliveryStatus
from pipeline.tenants import Account
from pipeline.topics.commands import Command
from pipeline.unicode import loads

LIMIT: Final = 429
"""The session's limit: by its plan, by the day, or one message in 5 s under account protection."""

_NOT_LOOKED_AT: Final = frozenset({408, 425, LIMIT, 503, 521, 523, 525, 526})
"""Nobody behind the door saw the request. The 52x are those of the provider's front that found no server at all."""
_LONGEST_WAIT: Final = 86_400.0
_LONGEST_MESSAGE: Final = 500
_HIDDEN: Final = "[redacted]"


def read_answer(
    status: int, headers: Mapping[str, str], body: bytes, command: Command, account: Account, *, sends: bool
) -> Delivery:
    """The delivery that an HTTP answer stands for; `sends`: a message was to come of it, so it must have an id."""
    content = read_object(body)
    if 200 <= status < 300:
        return _success(status, content, command, account, sends)
    words = _words(status, content, command, account)
    if status in _NOT_LOOKED_AT:
        wait = _wait(headers, content) if status == LIMIT else 1.0
        return Delivery(DeliveryStatus.RETRYABLE, error_code=status, error_message=words, delay=wait)
    if status >= 500:
        return Delivery(DeliveryStatus.UNKNOWN, error_code=status, error_message=words)
    return Delivery(DeliveryStatus.PERMANENT, error_code=status, error_message=words)


def read_object(body: bytes) -> dict[str, Any]:
    try:
        content = loads(body)
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


def _success(status: int, content: dict[str, Any], command: Command, account: Account, sends: bool) -> Delivery:
    if content.get("success") is False:
        words = _words(status, content, command, account)
        return Delivery(DeliveryStatus.PERMANENT, error_code=status, error_message=words)
    message_id = _message_id(content)
    if sends and message_id is None:
        return Delivery(DeliveryStatus.UNKNOWN, error_message="Wasender answered a success without a message id")
    return Delivery(DeliveryStatus.ACCEPTED, message_id=message_id)


def _message_id(content: dict[str, Any]) -> str | None:
    match content:
        case {"data": {"msgId": int() | str() as message_id}} if message_id and message_id is not True:
            return str(message_id)
    return None


def _wait(headers: Mapping[str, str], content: dict[str, Any]) -> float:
    """Seconds until the limit lets the next message in, and one more, since Wasender counts whole seconds."""
    named = (content.get("retry_after"), headers.get("Retry-After"), _until_reset(headers.get("X-RateLimit-Reset")))
    seconds = next((found for each in named if (found := _number(each)) is not None), 0.0)
    return min(max(seconds, 0.0), _LONGEST_WAIT) + 1.0


def _until_reset(reset: str | None) -> float | None:
    """Documented both as the time of the reset and as the seconds until it: what lies in the future is a time."""
    value, now = _number(reset), time.time()
    return value if value is None or value <= now else value - now


def _number(value: object) -> float | None:
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _words(status: int, content: dict[str, Any], command: Command, account: Account) -> str:
    """Wasender's message and what it says of each field, without what they may quote."""
    errors = content.get("errors")
    details = [each for found in errors.values() for each in _listed(found)] if isinstance(errors, dict) else []
    parts = [content.get("message"), content.get("error"), *details]
    words = ": ".join(dict.fromkeys(part for part in parts if isinstance(part, str) and part)) or f"HTTP {status}"
    for secret in (account.token.get_secret_value(), command.body.get("text"), command.body.get("caption")):
        if isinstance(secret, str) and len(secret) > 3:
            words = words.replace(secret, _HIDDEN)
    return words[:_LONGEST_MESSAGE]


def _listed(found: object) -> list[object]:
    return found if isinstance(found, list) else [found]
