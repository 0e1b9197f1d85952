"""Wawp's HTTP API: its calls, its URL and its errors, which may come with status 200."""

from __future__ import annotations

from typing import Any, Final

from pipeline.providers.gateway.answer import ErrorAnswer, GatewayAnswer, error_text
from pipeline.providers.gateway.deliver import Dialect
from pipeline.providers.gateway.error_codes import ACCOUNT_LIMIT
from pipeline.providers.wawp.bodies import BUILDERS
from pipeline.providers.wawp.error_codes import TABLE

API: Final = "https://api.wawp.net"

_CODES: Final = {
    "invalid_session": 404,
    "subscription_required": 403,
    "missing_access_token": 401,
    "missing_param": 400,
    "wawp_upstream_error": 502,
    "upstream_html_error": 502,
}
"""HTTP statuses of Wawp's error codes. The two errors of its upstream are retryable."""


def read_error(answer: GatewayAnswer) -> ErrorAnswer | None:
    """Return the error of an answer, whatever its status: a `code`, an `error`, or a success of false.

    A limit per minute or per day has no code. Its message contains the word.
    """
    content = answer.content
    if not content or (answer.status < 400 and not _is_error(content)):
        return None
    text = error_text(content) or f"HTTP {answer.status}"
    return ErrorAnswer(_code(answer, content, text), text)


def _is_error(content: dict[str, Any]) -> bool:
    denied = content.get("success") is False or content.get("status") is False or content.get("result") is False
    return denied or bool(content.get("code")) or bool(content.get("error"))


def _code(answer: GatewayAnswer, content: dict[str, Any], text: str) -> int:
    named = content.get("code")
    if isinstance(named, str) and named in _CODES:
        return _CODES[named]
    if "limit" in text.lower():
        return ACCOUNT_LIMIT
    data = content.get("data")
    inside = (
        content.get("status"),
        content.get("statusCode"),
        data.get("status") if isinstance(data, dict) else None,
        named,
    )
    found = next((each for each in inside if type(each) is int and 400 <= each <= 599), None)
    return found or (answer.status if answer.status >= 400 else 400)


DIALECT: Final = Dialect(BUILDERS, API, lambda _: {}, read_error, TABLE)
