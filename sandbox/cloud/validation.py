"""Validate the body of a send as the Graph API does."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import orjson

from pipeline.sandbox.cloud.content import check_content
from pipeline.sandbox.cloud.errors import known, missing, wrong
from pipeline.sandbox.cloud.fields import Has

CALLBACK_DATA_LIMIT: Final = 512
TYPES: Final = (
    "audio",
    "contacts",
    "document",
    "image",
    "interactive",
    "location",
    "pin",
    "reaction",
    "sticker",
    "template",
    "text",
    "video",
)

_PHONE: Final = re.compile(r"[1-9]\d{6,14}", re.ASCII)
_USER_ID: Final = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}", re.ASCII)
_SEPARATORS: Final = str.maketrans("", "", "+-.() ")


class Recipient(NamedTuple):
    """The recipient of a message.

    Attributes:
        id: digits of a phone number, a business-scoped user id or a group id.
        given: the recipient as the request names it.
        kind: `phone`, `user` or `group`.
    """

    id: str
    given: str
    kind: str


class CloudSend(NamedTuple):
    """A valid send. `content` is the object named after the type."""

    to: Recipient
    type: str
    content: Any
    callback_data: str | None

    @property
    def command_id(self) -> str | None:
        """What the callback data has before the first dot: the id of the command, as this project writes it."""
        return None if self.callback_data is None else self.callback_data.partition(".")[0]


def parsed(raw: bytes) -> dict[str, Any]:
    """Return the body's object. The Graph API treats a body that can't be parsed as one without parameters."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict) or "messaging_product" not in body:
        raise missing("messaging_product")
    if body["messaging_product"] != "whatsapp":
        raise wrong("Param messaging_product must be one of {WHATSAPP}")
    return body


def validated(body: dict[str, Any], has: Has = lambda _: False) -> CloudSend:
    """Return the send of a body. Raise `GraphError`.

    Args:
        has: returns True if the number has a medium of an id.
    """
    to = _recipient(body)
    kind = body.get("type", "text")
    if not isinstance(kind, str) or kind not in TYPES:
        raise wrong("Param type must be one of {" + ", ".join(TYPES).upper() + "}")
    content = _content(body, kind)
    check_content(kind, content, has)
    if kind == "pin" and to.kind != "group":
        raise known(131009, details="Messages can only be pinned in groups")
    _check_context(body.get("context"))
    return CloudSend(to, kind, content, _callback_data(body.get("biz_opaque_callback_data")))


def read_mark(body: dict[str, Any]) -> tuple[str, bool]:
    """Return the id of the message to mark as read, and True if a typing indicator is requested."""
    if body["status"] != "read":
        raise wrong("Param status must be one of {READ}")
    message_id = body.get("message_id")
    if message_id is None:
        raise missing("message_id")
    if not isinstance(message_id, str) or not message_id.startswith("wamid."):
        raise known(131009, details="The message_id is not the id of a received message")
    return message_id, "typing_indicator" in body


def _recipient(body: dict[str, Any]) -> Recipient:
    # If both are given, `to` counts.
    name = "to" if body.get("to") else "recipient"
    given = body.get(name)
    if not given:
        raise missing("to")
    if not isinstance(given, str):
        raise wrong(f"Param {name} must be a string")
    return _user(given) if name == "recipient" else _addressee(given, body.get("recipient_type", "individual"))


def _user(given: str) -> Recipient:
    if not _USER_ID.fullmatch(given):
        raise known(131009, details="The recipient is not a business-scoped user id")
    return Recipient(given, given, "user")


def _addressee(given: str, recipient_type: object) -> Recipient:
    if recipient_type == "group":
        return Recipient(given, given, "group")
    if recipient_type != "individual":
        raise wrong("Param recipient_type must be one of {INDIVIDUAL, GROUP}")
    digits = given.translate(_SEPARATORS)
    if not _PHONE.fullmatch(digits):
        raise known(131009, details="The phone number is malformed: Please use the format: +1234567890.")
    return Recipient(digits, given, "phone")


def _content(body: dict[str, Any], kind: str) -> Any:
    content = body.get(kind)
    if content is None:
        raise known(131008, details=f"Parameter '{kind}' is mandatory for type '{kind}'")
    if not isinstance(content, list if kind == "contacts" else dict):
        raise wrong(f"Param {kind} must be a JSON {'array' if kind == 'contacts' else 'object'}.")
    return content


def _check_context(context: object) -> None:
    if context is None:
        return
    if not isinstance(context, dict) or not isinstance(context.get("message_id"), str):
        raise wrong("Param context['message_id'] must be a string")


def _callback_data(data: object) -> str | None:
    if data is None:
        return None
    if not isinstance(data, str):
        raise wrong("Param biz_opaque_callback_data must be a string")
    if len(data) > CALLBACK_DATA_LIMIT:
        raise wrong(f"Param biz_opaque_callback_data must be at most {CALLBACK_DATA_LIMIT} characters long.")
    return data
