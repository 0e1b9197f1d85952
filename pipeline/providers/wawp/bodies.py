"""The call that each kind of command is. Credentials are part of the body, never of the URL, which ends up in logs.

Source: Wawp, messaging guide and the pages of `/v2/send/…` and `/v2/messages/…`.
"""

from __future__ import annotations

from typing import Any, Final

from pipeline.providers.waha import fields
from pipeline.providers.waha.calls import Builders, Call
from pipeline.tenants import Account
from pipeline.topics.commands import Command, CommandKind

_NO_CAPTION: Final = " "
"""Wawp requires a caption of images and documents, and does not take an empty one."""


def _call(method: str, path: str, command: Command, account: Account, **content: Any) -> Call:
    credentials = {"instance_id": account.session_name, "access_token": account.token.get_secret_value()}
    return Call(method, f"/v2/{path}", credentials | {"chatId": fields.chat_id(command), **content})


def _send(command: Command, account: Account, name: str, **content: Any) -> Call:
    return _call("POST", f"send/{name}", command, account, **content, **fields.replying(command))


def _text(command: Command, account: Account) -> Call:
    return _send(command, account, "text", message=fields.text(command))


def _file(command: Command) -> dict[str, str]:
    return {f"file[{name}]": value for name, value in fields.file(command).items()}


def _captioned(command: Command, account: Account) -> Call:
    """Documents of all kinds go where PDFs go."""
    name = "image" if command.kind is CommandKind.IMAGE else "pdf"
    return _send(command, account, name, **_file(command), caption=command.body.get("caption") or _NO_CAPTION)


def _video(command: Command, account: Account) -> Call:
    caption = fields.optional(command, caption="caption")
    return _send(command, account, "video", **_file(command), convert=True, asNote=False, **caption)


def _voice(command: Command, account: Account) -> Call:
    """There is no other way for audio."""
    convert = fields.needs_conversion(fields.file(command))
    return _send(command, account, "voice", **_file(command), convert=convert)


def _location(command: Command, account: Account) -> Call:
    """Coordinates are decimal strings."""
    latitude, longitude = fields.coordinates(command)
    named = fields.optional(command, title="name", message="address")
    return _send(command, account, "location", latitude=str(latitude), longitude=str(longitude), **named)


def _contacts(command: Command, account: Account) -> Call:
    return _send(command, account, "contact", **fields.contacts(command))


def _list(command: Command, account: Account) -> Call:
    return _send(command, account, "list", **fields.menu(command))


def _poll(command: Command, account: Account) -> Call:
    return _send(command, account, "poll", **fields.poll(command))


def _read(command: Command, account: Account) -> Call:
    return _send(command, account, "seen", **fields.seen(command))


def _typing(command: Command, account: Account) -> Call:
    return _send(command, account, "start-typing" if command.body.get("on", True) else "stop-typing")


def _reaction(command: Command, account: Account) -> Call:
    return _call("PUT", "send/reaction", command, account, **fields.reaction(command))


def _edit(command: Command, account: Account) -> Call:
    message = fields.text(command, "message_id")
    return _call("PUT", "messages/edit", command, account, messageId=message, text=fields.text(command))


def _revoke(command: Command, account: Account) -> Call:
    return _call("DELETE", "messages/delete", command, account, messageId=fields.text(command, "message_id"))


BUILDERS: Final[Builders] = {
    CommandKind.TEXT: _text,
    CommandKind.READ: _read,
    CommandKind.TYPING: _typing,
    CommandKind.IMAGE: _captioned,
    CommandKind.VIDEO: _video,
    CommandKind.AUDIO: _voice,
    CommandKind.DOCUMENT: _captioned,
    CommandKind.LOCATION: _location,
    CommandKind.CONTACTS: _contacts,
    CommandKind.LIST: _list,
    CommandKind.REACTION: _reaction,
    CommandKind.POLL: _poll,
    CommandKind.EDIT: _edit,
    CommandKind.REVOKE: _revoke,
}
