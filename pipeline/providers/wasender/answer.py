"""Interpret an answer of Wasender's API. The HTTP status decides, because Wasender has no error codes of its own.

A success is `{"success": true, "data": {"msgId": 100000, "status": "in_progress"}}`: accepted, not delivered.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.providers.shared.failures import failed_attempt
from pipeline.providers.shared.http import AWAY, number, read_object, redact, retry_after
from pipeline.providers.wasender.error_codes import RATE_LIMITED, TABLE
from pipeline.tenants import Account
from pipeline.topics.commands import Command

_AWAY: Final = AWAY | {521, 522, 523, 524, 525, 526}
"""Statuses of Wasender's proxy: the server behind it did not answer. Such an answer is no JSON object."""
_MAX_DELAY: Final = 86_400.0


def interpret(
    status: int, headers: Mapping[str, str], body: bytes, command: Command, account: Account, *, creates_message: bool
) -> SendAttempt:
    """Return the attempt that an answer describes. `creates_message`: a success must have its id."""
    content = read_object(body)
    if 200 <= status < 300:
        return _interpret_success(status, content, command, account, creates_message)
    text, answered = _safe_error_text(status, content, command, account), status not in _AWAY or bool(content)
    asked = _limit_delay(headers, content) if status == RATE_LIMITED else retry_after(headers, content)
    return failed_attempt(TABLE.policy(status), status, text, asked, answered=answered)


def _interpret_success(
    status: int, content: dict[str, Any], command: Command, account: Account, creates_message: bool
) -> SendAttempt:
    if content.get("success") is False:
        text = _safe_error_text(status, content, command, account)
        return failed_attempt(TABLE.policy(200), status, text)
    message_id = _message_id(content)
    if creates_message and message_id is None:
        return SendAttempt(AttemptStatus.UNKNOWN, error_message="Wasender answered a success without a message id")
    return SendAttempt(AttemptStatus.ACCEPTED, message_id=message_id)


def _message_id(content: dict[str, Any]) -> str | None:
    match content:
        case {"data": {"msgId": int() | str() as message_id}} if message_id and message_id is not True:
            return str(message_id)
    return None


def _limit_delay(headers: Mapping[str, str], content: dict[str, Any]) -> float:
    """Return the seconds until the limit allows the next message, plus one, because Wasender counts whole seconds."""
    named = (content.get("retry_after"), headers.get("Retry-After"), _until_reset(headers.get("X-RateLimit-Reset")))
    seconds = next((found for each in named if (found := number(each)) is not None), 0.0)
    return min(max(seconds, 0.0), _MAX_DELAY) + 1.0


def _until_reset(reset: str | None) -> float | None:
    """Return the seconds until the reset, which is documented as a time and as seconds. A time is in the future."""
    value, now = number(reset), time.time()
    return value if value is None or value <= now else value - now


def _safe_error_text(status: int, content: dict[str, Any], command: Command, account: Account) -> str:
    """Return Wasender's message and its details of each field, without the texts that they may quote."""
    errors = content.get("errors")
    details = [each for found in errors.values() for each in _as_list(found)] if isinstance(errors, dict) else []
    parts = [content.get("message"), content.get("error"), *details]
    text = ": ".join(dict.fromkeys(part for part in parts if isinstance(part, str) and part)) or f"HTTP {status}"
    private = (command.body.get("text"), command.body.get("caption"))
    return redact(text, account.token.get_secret_value(), private)


def _as_list(found: object) -> list[object]:
    return found if isinstance(found, list) else [found]
