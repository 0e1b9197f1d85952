"""Build the fields around a message's content: recipient, replied-to message and command id."""

from __future__ import annotations

import re
import time
from typing import Any, Final, NamedTuple

from pipeline.topics.callback_data import encode_callback_data
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.numbers import phone_digits

_BSUID: Final = re.compile(r"^[A-Z]{2}\.")
_GROUP: Final = "Y2FwaV9ncm91cDo"
"""Prefix of a group's id: `capi_group:` in base64."""


class MessageContent(NamedTuple):
    """A message's type, and the value of the field that is named after the type."""

    type: str
    value: Any


def address_message(command: Command, content: MessageContent) -> dict[str, Any]:
    body: dict[str, Any] = {"messaging_product": "whatsapp", "recipient_type": _recipient_type(command)}
    body[_address_field(command.recipient)] = _address(command.recipient)
    body |= {
        "type": content.type,
        content.type: content.value,
        "biz_opaque_callback_data": encode_callback_data(
            command.command_id, time.time(), command.campaign, command.tags
        ),
    }
    if command.reply_to:
        body["context"] = {"message_id": command.reply_to}
    return body


def _address(recipient: str) -> str:
    """Return a phone number without punctuation but with its plus, without which Meta may read it as a local number."""
    number = phone_digits(recipient)
    return f"+{number}" if number and "+" in recipient else number or recipient


def _recipient_type(command: Command) -> str:
    # Only groups have pins, so the recipient of one is a group whatever its id looks like.
    group = command.kind is CommandKind.PIN or command.recipient.startswith(_GROUP)
    return "group" if group else "individual"


def _address_field(recipient: str) -> str:
    """Return the recipient's field. A business-scoped user id (two capital letters and a dot) has its own."""
    return "recipient" if _BSUID.match(recipient) else "to"
