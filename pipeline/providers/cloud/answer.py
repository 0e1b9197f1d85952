"""What an answer of the Graph API means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson

from pipeline.providers.base import Delivery, DeliveryStatus
from pipeline.providers.cloud import error_codes
from pipeline.tenants import Account
from pipeline.topics.commands import Command, CommandKind
from pipeline.unicode import loads

_NOT_LOOKED_AT: Final = frozenset({408, 425, 429, 503})
_UNCLEAR: Final = frozenset({500, 502, 504})
_LONGEST_WAIT: Final = 3600.0
_LONGEST_MESSAGE: Final = 500
_HIDDEN: Final = "[redacted]"
_NAMES: Final = frozenset(
    {"type", "sub_type", "id", "message_id", "group_id", "catalog_id", "product_retailer_id", "product_retailer_ids"}
    | {"country", "mode", "flow_id", "flow_name", "flow_action", "parameter_name", "mime_type", "screen"}
)
"""Fields whose values help to understand an error and tell nothing of a person."""


def read_answer(status: int, headers: Mapping[str, str], body: bytes, command: Command, account: Account) -> Delivery:
    """The delivery that an HTTP answer stands for: Meta's error code decides, the HTTP status only without one."""
    content = _object(body)
    error = content.get("error")
    if isinstance(error, dict) and isinstance(error.get("code"), int):
        return _coded(error, status, headers, command, account)
    if 200 <= status < 300:
        return _success(content, command)
    return _uncoded(status, headers)


def _success(content: dict[str, Any], command: Command) -> Delivery:
    if command.kind is CommandKind.READ and content.get("success") is True:
        return Delivery(DeliveryStatus.ACCEPTED)
    message_id = _message_id(content)
    if message_id is None:
        return Delivery(DeliveryStatus.UNKNOWN, error_message="Meta answered a success without a message id")
    return Delivery(DeliveryStatus.ACCEPTED, message_id=message_id)


def read_link(body: bytes) -> str | None:
    """The link in an answer about a group's invitation."""
    link = _object(body).get("invite_link")
    return link if isinstance(link, str) and link else None


def _message_id(content: dict[str, Any]) -> str | None:
    match content:
        case {"messages": [{"id": str(message_id)}, *_]}:
            return message_id
    return None


def _coded(
    error: dict[str, Any], status: int, headers: Mapping[str, str], command: Command, account: Account
) -> Delivery:
    code = error["code"]
    words = _words(error, command, account)
    passes = error.get("is_transient") is True or status in _NOT_LOOKED_AT
    if not error_codes.is_retryable(code, passes):
        return Delivery(DeliveryStatus.PERMANENT, error_code=code, error_message=words)
    delay = max(error_codes.policy(code).initial_delay, retry_after(headers))
    return Delivery(DeliveryStatus.RETRYABLE, error_code=code, error_message=words, delay=delay)


def _uncoded(status: int, headers: Mapping[str, str]) -> Delivery:
    words = f"HTTP {status} without an error code"
    if status in _NOT_LOOKED_AT:
        return Delivery(DeliveryStatus.RETRYABLE, error_message=words, delay=max(1.0, retry_after(headers)))
    return Delivery(DeliveryStatus.UNKNOWN if status in _UNCLEAR else DeliveryStatus.PERMANENT, error_message=words)


def _words(error: dict[str, Any], command: Command, account: Account) -> str:
    """Meta's message and details, without what they may quote: it is known to repeat a malformed token."""
    words = said(error)
    for secret in (account.token.get_secret_value(), *sorted(contents(command), key=len, reverse=True)):
        words = words.replace(secret, _HIDDEN)
    return words[:_LONGEST_MESSAGE]


def said(error: dict[str, Any]) -> str:
    data = error.get("error_data")
    parts = [error.get("message"), data.get("details") if isinstance(data, dict) else None]
    return ": ".join(dict.fromkeys(part for part in parts if isinstance(part, str)))


def contents(command: Command) -> set[str]:
    """The strings of a command that are written to people: all but the words of the API and the names of things."""
    what = command.body.get("components") if command.kind is CommandKind.TEMPLATE else command.body
    return {each for each in _leaves(what) if len(each) > 3}


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in _NAMES:
                yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that a `Retry-After` header asks for, in either of its forms; 0 without one, an hour at most."""
    value = headers.get("Retry-After", "").strip()
    seconds = float(value) if value.isascii() and value.isdigit() else _until(value)
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _until(date: str) -> float:
    try:
        return (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return 0.0


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = loads(body)
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}
