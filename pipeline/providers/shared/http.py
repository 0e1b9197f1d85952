"""HTTP calls to providers: timeouts, the errors that prove that nothing was sent, and safe error texts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any, Final

import orjson
from aiohttp import (
    ClientConnectorError,
    ClientTimeout,
    ConnectionTimeoutError,
    InvalidURL,
    NonHttpUrlClientError,
)

from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.unicode import loads

TIMEOUT: Final = ClientTimeout(total=None, connect=15, sock_connect=10, sock_read=30)
"""Timeouts of a send, in seconds. A total timeout is missing on purpose: after it, the caller can't know whether the
request was written."""

UNREACHED: Final = (ClientConnectorError, ConnectionTimeoutError, InvalidURL, NonHttpUrlClientError)
"""Errors that are raised before a request is written, so that repeating it is safe."""

AWAY: Final = frozenset({502, 503, 504})
"""Statuses by which a proxy says that the server behind it is away, if the answer has no error of the provider."""

RETRY_DELAY: Final = 1.0
"""Seconds until an attempt that could not reach the provider may be repeated."""

MAX_RETRY_AFTER: Final = 3600.0
"""Seconds that are waited at most because an answer asks for it."""
_MAX_ERROR_LENGTH: Final = 500
_MIN_SECRET_LENGTH: Final = 4
"""Characters. Shorter texts occur in error messages by chance."""
_REDACTED: Final = "[redacted]"
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def no_answer(status: AttemptStatus, error: Exception, reason: str) -> SendAttempt:
    """Return the attempt that failed without an answer. A retryable one may be repeated after `RETRY_DELAY`."""
    delay = RETRY_DELAY if status is AttemptStatus.RETRYABLE else 0.0
    return SendAttempt(status, error_message=f"{reason} ({type(error).__name__})", delay=delay, answered=False)


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in an answer's body; an empty one for anything else."""
    try:
        content = loads(body)
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


def retry_after(headers: Mapping[str, str], content: Mapping[str, Any] = _NOTHING) -> float:
    """Return the seconds that an answer asks to wait for; 0 if it does not, at most an hour.

    They are in the header `Retry-After`, in either of its forms, or in `retry_after` of the body. The longer counts.
    """
    named = content.get("retry_after")
    seconds = max(_header_seconds(headers.get("Retry-After", "").strip()), number(named) or 0.0)
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def number(value: object) -> float | None:
    """Return a finite number, also one that is written as a text; None for anything else."""
    try:
        found = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _header_seconds(value: str) -> float:
    return float(value) if value.isascii() and value.isdigit() else _seconds_until(value)


def _seconds_until(date: str) -> float:
    try:
        return (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return 0.0


def redact(text: str, token: str, private: Iterable[object]) -> str:
    """Return a provider's error text without the token and the private texts that it may quote, and not too long.

    The longest text is replaced first, because a shorter one may be a part of it.
    """
    texts = {each for each in private if isinstance(each, str) and len(each) >= _MIN_SECRET_LENGTH}
    for secret in (token, *sorted(texts, key=len, reverse=True)):
        if secret:
            text = text.replace(secret, _REDACTED)
    return text[:_MAX_ERROR_LENGTH]
