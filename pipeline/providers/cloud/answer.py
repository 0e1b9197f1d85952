"""Interpret an answer of the Graph API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.providers.cloud import error_codes
from pipeline.providers.shared.http import AWAY, read_object, redact, retry_after
from pipeline.tenants import Account
from pipeline.topics.commands import Command, CommandKind

_NOT_PROCESSED: Final = frozenset({408, 425, 429, 503})
_IN_DOUBT: Final = frozenset({500, 502, 504})
_PUBLIC_FIELDS: Final = frozenset(
    {"type", "sub_type", "id", "message_id", "group_id", "catalog_id", "product_retailer_id", "product_retailer_ids"}
    | {"country", "mode", "flow_id", "flow_name", "flow_action", "parameter_name", "mime_type", "screen"}
)
"""Fields whose values help to understand an error and contain no personal data."""


def interpret(status: int, headers: Mapping[str, str], body: bytes, command: Command, account: Account) -> SendAttempt:
    """Return the attempt that an answer describes. Meta's error code decides; the HTTP status only without a code."""
    content = read_object(body)
    error = content.get("error")
    if isinstance(error, dict) and isinstance(error.get("code"), int):
        return _interpret_error(error, status, headers, command, account)
    if 200 <= status < 300:
        return _interpret_success(content, command)
    return _interpret_status(status, headers)


def _interpret_success(content: dict[str, Any], command: Command) -> SendAttempt:
    if command.kind is CommandKind.READ and content.get("success") is True:
        return SendAttempt(AttemptStatus.ACCEPTED)
    message_id = _message_id(content)
    if message_id is None:
        return SendAttempt(AttemptStatus.UNKNOWN, error_message="Meta answered a success without a message id")
    return SendAttempt(AttemptStatus.ACCEPTED, message_id=message_id)


def read_invite_link(body: bytes) -> str | None:
    """Return the link in an answer about a group's invitation; None without one."""
    link = read_object(body).get("invite_link")
    return link if isinstance(link, str) and link else None


def _message_id(content: dict[str, Any]) -> str | None:
    match content:
        case {"messages": [{"id": str(message_id)}, *_]}:
            return message_id
    return None


def _interpret_error(
    error: dict[str, Any], status: int, headers: Mapping[str, str], command: Command, account: Account
) -> SendAttempt:
    code = error["code"]
    text = _safe_error_text(error, command, account)
    passes = error.get("is_transient") is True or status in _NOT_PROCESSED
    if not error_codes.is_retryable(code, passes):
        return SendAttempt(AttemptStatus.PERMANENT, error_code=code, error_message=text)
    delay = max(error_codes.retry_policy(code).initial_delay, retry_after(headers))
    return SendAttempt(AttemptStatus.RETRYABLE, error_code=code, error_message=text, delay=delay)


def _interpret_status(status: int, headers: Mapping[str, str]) -> SendAttempt:
    text, answered = f"HTTP {status} without an error code", status not in AWAY
    if status in _NOT_PROCESSED:
        delay = max(1.0, retry_after(headers))
        return SendAttempt(AttemptStatus.RETRYABLE, error_message=text, delay=delay, answered=answered)
    result = AttemptStatus.UNKNOWN if status in _IN_DOUBT else AttemptStatus.PERMANENT
    return SendAttempt(result, error_message=text, answered=answered)


def _safe_error_text(error: dict[str, Any], command: Command, account: Account) -> str:
    """Return Meta's error text without the token and the message, because Meta quotes malformed values."""
    return redact(error_text(error), account.token.get_secret_value(), private_texts(command))


def error_text(error: dict[str, Any]) -> str:
    data = error.get("error_data")
    parts = [error.get("message"), data.get("details") if isinstance(data, dict) else None]
    return ": ".join(dict.fromkeys(part for part in parts if isinstance(part, str)))


def private_texts(command: Command) -> set[str]:
    """Return the texts of a command that may contain personal data: all values but those of `_PUBLIC_FIELDS`."""
    what = command.body.get("components") if command.kind is CommandKind.TEMPLATE else command.body
    return set(_leaves(what))


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in _PUBLIC_FIELDS:
                yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
