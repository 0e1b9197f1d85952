"""How Wawp is spoken to, and how it says no: also with 200."""

from __future__ import annotations

from typing import Any, Final

from pipeline.providers.shared.gateway_codes import ACCOUNT_LIMIT
from pipeline.providers.waha.answer import Answer, Refusal, words_of
from pipeline.providers.waha.deliver import Dialect
from pipeline.providers.wawp.bodies import BUILDERS

API: Final = "https://api.wawp.net"

_CODES: Final = {
    "invalid_session": 404,
    "subscription_required": 403,
    "missing_access_token": 401,
    "missing_param": 400,
    "wawp_upstream_error": 502,
    "upstream_html_error": 502,
}
"""Wawp's codes, as the HTTP statuses that belong to them. The two of its upstream ask for a later try."""


def refusal(answer: Answer) -> Refusal | None:
    """The no in an answer, whatever its status: a `code`, an `error`, or a success that is false.

    A limit of the minute or the day has no code of its own; its message says so.
    """
    content = answer.content
    if not content or (answer.status < 400 and not _fails(content)):
        return None
    words = words_of(content) or f"HTTP {answer.status}"
    return Refusal(_code(answer, content, words), words)


def _fails(content: dict[str, Any]) -> bool:
    denied = content.get("success") is False or content.get("status") is False or content.get("result") is False
    return denied or bool(content.get("code")) or bool(content.get("error"))


def _code(answer: Answer, content: dict[str, Any], words: str) -> int:
    named = content.get("code")
    if isinstance(named, str) and named in _CODES:
        return _CODES[named]
    if "limit" in words.lower():
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


DIALECT: Final = Dialect(BUILDERS, API, lambda _: {}, refusal)
