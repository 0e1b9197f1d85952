"""The JSON of each kind of command. Source: Cloud API, messages endpoint."""

from __future__ import annotations

import re
from typing import Any, Final

from pipeline.errors import InvalidRecord, UnsupportedCommand
from topics.commands import Command, CommandKind

_BSUID: Final = re.compile(r"^[A-Z]{2}\.")


def build_body(command: Command) -> dict[str, Any]:
    """What is posted for a command.

    Raises `UnsupportedCommand` for a kind without an endpoint, `InvalidRecord` for one without what it needs.
    """
    if command.kind is CommandKind.READ:
        return _read(command)
    if command.kind is CommandKind.TEXT:
        preview = command.body.get("preview_url") is True
        return _message(command, text={"body": _field(command, "text"), "preview_url": preview})
    raise UnsupportedCommand(f"the Cloud API can't do {command.kind}")


def _message(command: Command, **content: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"messaging_product": "whatsapp", "recipient_type": "individual"}
    body[_address_field(command.recipient)] = command.recipient
    body |= {"type": command.kind.value, **content, "biz_opaque_callback_data": command.command_id}
    if command.reply_to:
        body["context"] = {"message_id": command.reply_to}
    return body


def _read(command: Command) -> dict[str, Any]:
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": _field(command, "message_id")}
    return body | ({"typing_indicator": {"type": "text"}} if command.body.get("typing") else {})


def _field(command: Command, name: str) -> str:
    value = command.body.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidRecord(f"a {command.kind} command without {name}")
    return value


def _address_field(recipient: str) -> str:
    """Business-scoped user ids go into a field of their own: two capital letters and a dot, then anything."""
    return "recipient" if _BSUID.match(recipient) else "to"
