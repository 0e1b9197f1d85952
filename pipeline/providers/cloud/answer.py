"""Interpret an answer of the Graph API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.providers.cloud.error_codes import TABLE
from pipeline.providers.code_policy import Action
from pipeline.providers.shared.failures import failed_attempt
from pipeline.providers.shared.http import AWAY, MAX_RETRY_AFTER, number, read_object, redact, retry_after
from pipeline.tenants import Account
from pipeline.topics.commands import Command, CommandKind

_USAGE: Final = "X-Business-Use-Case-Usage"
"""The header in which Meta tells how long an exhausted account is throttled."""
_MINUTES: Final = "estimated_time_to_regain_access"
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
    policy, text = TABLE.policy(error["code"]), _safe_error_text(error, command, account)
    transient = policy is TABLE.other and _may_pass(error, status)
    return failed_attempt(policy, error["code"], text, _asked_delay(headers), transient=transient)


def _may_pass(error: dict[str, Any], status: int) -> bool:
    """Return True if Meta says of a code without a row that its error may pass, by its flag or by the HTTP status."""
    return error.get("is_transient") is True or TABLE.status_policy(status).action is Action.RETRY


def _interpret_status(status: int, headers: Mapping[str, str]) -> SendAttempt:
    """Return the attempt of an answer without a code of Meta's. Its status is its code, unless it is in doubt."""
    policy, text = TABLE.status_policy(status), f"HTTP {status} without an error code"
    code = None if policy.action is Action.IN_DOUBT else status
    return failed_attempt(policy, code, text, _asked_delay(headers), answered=status not in AWAY)


def _asked_delay(headers: Mapping[str, str]) -> float:
    """Return the seconds that Meta asks to wait for: by `Retry-After`, or for an account that is over its quota."""
    return max(retry_after(headers), _until_access(headers.get(_USAGE)))


def _until_access(usage: str | None) -> float:
    """Return the seconds of the longest wait in a usage header, which names minutes; 0 without one."""
    if usage is None:
        return 0.0
    lists = [each for each in read_object(usage.encode(errors="replace")).values() if isinstance(each, list)]
    minutes = [number(each.get(_MINUTES)) or 0.0 for each in chain(*lists) if isinstance(each, dict)]
    return min(60.0 * max(minutes, default=0.0), MAX_RETRY_AFTER)


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
