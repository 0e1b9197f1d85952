"""What an answer of a gateway means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from pipeline.providers.base import Delivery, DeliveryStatus
from pipeline.providers.cloud.answer import retry_after
from pipeline.providers.shared import gateway_codes
from pipeline.providers.waha.calls import SILENT
from pipeline.providers.waha.engine import inner
from pipeline.providers.waha.jids import message_id
from pipeline.tenants import Account
from pipeline.topics.commands import Command
from pipeline.unicode import loads

_UNCLEAR: Final = frozenset({500, 502, 504})
_LONGEST_MESSAGE: Final = 500
_HIDDEN: Final = "[redacted]"


class Refusal(NamedTuple):
    """A gateway's no. `code` is the HTTP status that it stands for, whatever the answer's own was."""

    code: int
    words: str


class Answer(NamedTuple):
    """An HTTP answer. `content` is the JSON object in it; empty where there is none."""

    status: int
    headers: Mapping[str, str]
    content: dict[str, Any]

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            content = loads(body)
        except orjson.JSONDecodeError:
            content = None
        return cls(status, headers, content if isinstance(content, dict) else {})


def meaning(answer: Answer, refusal: Refusal | None, command: Command, account: Account) -> Delivery:
    """The delivery that an answer stands for.

    A refusal in the body decides. Without one a 2xx is good, if it has the message's id; any other answer comes from
    something in between, and 500, 502 and 504 leave open what was done.
    """
    if refusal is not None:
        return _refused(refusal, answer, command, account)
    if 200 <= answer.status < 300:
        return _success(answer.content, command)
    words = f"HTTP {answer.status} without an error"
    if answer.status in _UNCLEAR:
        return Delivery(DeliveryStatus.UNKNOWN, error_message=words)
    return _refused(Refusal(answer.status, words), answer, command, account)


def words_of(content: dict[str, Any]) -> str:
    """What an error says for people: its code where it has one, and its message."""
    parts = [content.get(name) for name in ("code", "error", "message")]
    flat = [": ".join(map(str, part)) if isinstance(part, list) else part for part in parts]
    return ": ".join(dict.fromkeys(part for part in flat if isinstance(part, str) and part))


def _refused(refusal: Refusal, answer: Answer, command: Command, account: Account) -> Delivery:
    code, words = refusal.code, _discreet(refusal.words, command, account)
    if not gateway_codes.is_retryable(code):
        return Delivery(DeliveryStatus.PERMANENT, error_code=code, error_message=words)
    delay = max(gateway_codes.policy(code).initial_delay, retry_after(answer.headers))
    return Delivery(DeliveryStatus.RETRYABLE, error_code=code, error_message=words, delay=delay)


def _success(content: dict[str, Any], command: Command) -> Delivery:
    found = _sent_id(content)
    if found is None and command.kind not in SILENT:
        return Delivery(DeliveryStatus.UNKNOWN, error_message=f"{command.provider} answered a success without an id")
    return Delivery(DeliveryStatus.ACCEPTED, message_id=found)


def _sent_id(content: dict[str, Any]) -> str | None:
    named = (
        content.get("id"),
        content.get("message_id"),
        inner(content, "_data").get("id"),
        inner(content, "key").get("id"),
    )
    return next((found for found in map(message_id, named) if found), None)


def _discreet(words: str, command: Command, account: Account) -> str:
    """Without what an error may quote: the token, and what was to be sent."""
    hidden = [account.token.get_secret_value(), *(command.body.get(name) for name in ("text", "caption", "question"))]
    for secret in hidden:
        if isinstance(secret, str) and len(secret) > 3:
            words = words.replace(secret, _HIDDEN)
    return words[:_LONGEST_MESSAGE]
