"""Interpret a gateway's answer to a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from pipeline.providers.base import AttemptStatus, SendAttempt
from pipeline.providers.code_policy import Action, CodePolicy, CodeTable
from pipeline.providers.gateway.calls import REPEATABLE
from pipeline.providers.gateway.engine import nested_object
from pipeline.providers.gateway.jids import message_id
from pipeline.providers.shared.failures import failed_attempt
from pipeline.providers.shared.http import AWAY, read_object, redact, retry_after
from pipeline.tenants import Account
from pipeline.topics.commands import Command

_PRIVATE_FIELDS: Final = ("text", "caption", "question")


class ErrorAnswer(NamedTuple):
    """An error that a gateway answered.

    Attributes:
        code: the HTTP status that fits the error, which may differ from the answer's own.
    """

    code: int
    text: str


class GatewayAnswer(NamedTuple):
    """An HTTP answer.

    Attributes:
        content: the JSON object in the body; empty without one.
    """

    status: int
    headers: Mapping[str, str]
    content: dict[str, Any]

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes) -> GatewayAnswer:
        return cls(status, headers, read_object(body))


def interpret(
    answer: GatewayAnswer, error: ErrorAnswer | None, command: Command, account: Account, codes: CodeTable
) -> SendAttempt:
    """Return the attempt that an answer describes.

    An error in the body decides. Without one, a 2xx with the message's id is a success. Any other answer comes from a
    proxy; its 500, 502 and 504 do not say whether the command was carried out.
    """
    if error is not None:
        return _failed(codes.policy(error.code), error, answer, command, account)
    if 200 <= answer.status < 300:
        return _interpret_success(answer.content, command)
    policy, text = codes.status_policy(answer.status), f"HTTP {answer.status} without an error"
    if policy.action is Action.IN_DOUBT:
        return failed_attempt(policy, None, text, answered=answer.status not in AWAY)
    attempt = _failed(policy, ErrorAnswer(answer.status, text), answer, command, account)
    return replace(attempt, answered=answer.status not in AWAY)


def error_text(content: dict[str, Any]) -> str:
    """Return an error's code and message as one text."""
    parts = [content.get(name) for name in ("code", "error", "message")]
    flat = [": ".join(map(str, part)) if isinstance(part, list) else part for part in parts]
    return ": ".join(dict.fromkeys(part for part in flat if isinstance(part, str) and part))


def _failed(
    policy: CodePolicy, error: ErrorAnswer, answer: GatewayAnswer, command: Command, account: Account
) -> SendAttempt:
    private = (command.body.get(name) for name in _PRIVATE_FIELDS)
    text = redact(error.text, account.token.get_secret_value(), private)
    return failed_attempt(policy, error.code, text, retry_after(answer.headers, answer.content))


def _interpret_success(content: dict[str, Any], command: Command) -> SendAttempt:
    found = _sent_id(content)
    if found is None and command.kind not in REPEATABLE:
        return SendAttempt(AttemptStatus.UNKNOWN, error_message=f"{command.provider} answered a success without an id")
    return SendAttempt(AttemptStatus.ACCEPTED, message_id=found)


def _sent_id(content: dict[str, Any]) -> str | None:
    named = (
        content.get("id"),
        content.get("message_id"),
        nested_object(content, "_data").get("id"),
        nested_object(content, "key").get("id"),
    )
    return next((found for found in map(message_id, named) if found), None)
