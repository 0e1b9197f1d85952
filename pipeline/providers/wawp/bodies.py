"""Build Wawp's call for each kind of command. Credentials are in the body, because URLs are logged.

Source: Wawp, messaging guide and the pages of `/v2/send/…` and `/v2/messages/…`.
"""

from __future__ import annotations

from typing import Any, Final

from pipeline.providers.gateway import command_fields
from pipeline.providers.gateway.calls import Builders, GatewayCall
from pipeline.tenants import Account
from pipeline.topics.commands import Command, CommandKind

_NO_CAPTION: Final = " "
"""The caption of media without one, because Wawp requires a non-empty caption of images and documents."""


def _call(method: str, path: str, command: Command, account: Account, **content: Any) -> GatewayCall:
    credentials = {"instance_id": account.session_name, "access_token": account.token.get_secret_value()}
    return GatewayCall(method, f"/v2/{path}", credentials | {"chatId": command_fields.chat_id(command), **content})


def _send(command: Command, account: Account, name: str, **content: Any) -> GatewayCall:
    return _call("POST", f"send/{name}", command, account, **content, **command_fields.replying(command))


def _text(command: Command, account: Account) -> GatewayCall:
    return _send(command, account, "text", message=command_fields.text(command))


def _file(command: Command) -> dict[str, str]:
    return {f"file[{name}]": value for name, value in command_fields.file(command).items()}


def _captioned(command: Command, account: Account) -> GatewayCall:
    """Send an image or a document. Documents of all types use the endpoint of PDFs."""
    name = "image" if command.kind is CommandKind.IMAGE else "pdf"
    return _send(command, account, name, **_file(command), caption=command.body.get("caption") or _NO_CAPTION)


def _video(command: Command, account: Account) -> GatewayCall:
    caption = command_fields.optional(command, caption="caption")
    return _send(command, account, "video", **_file(command), convert=True, asNote=False, **caption)


def _voice(command: Command, account: Account) -> GatewayCall:
    """Send audio as a voice message, the only endpoint for audio."""
    convert = command_fields.needs_conversion(command_fields.file(command))
    return _send(command, account, "voice", **_file(command), convert=convert)


def _location(command: Command, account: Account) -> GatewayCall:
    """Send a location with coordinates as decimal strings."""
    latitude, longitude = command_fields.coordinates(command)
    named = command_fields.optional(command, title="name", message="address")
    return _send(command, account, "location", latitude=str(latitude), longitude=str(longitude), **named)


def _contacts(command: Command, account: Account) -> GatewayCall:
    return _send(command, account, "contact", **command_fields.contacts(command))


def _list(command: Command, account: Account) -> GatewayCall:
    return _send(command, account, "list", **command_fields.menu(command))


def _poll(command: Command, account: Account) -> GatewayCall:
    return _send(command, account, "poll", **command_fields.poll(command))


def _read(command: Command, account: Account) -> GatewayCall:
    return _send(command, account, "seen", **command_fields.seen(command))


def _typing(command: Command, account: Account) -> GatewayCall:
    return _send(command, account, "start-typing" if command.body.get("on", True) else "stop-typing")


def _reaction(command: Command, account: Account) -> GatewayCall:
    return _call("PUT", "send/reaction", command, account, **command_fields.reaction(command))


def _edit(command: Command, account: Account) -> GatewayCall:
    message = command_fields.text(command, "message_id")
    return _call("PUT", "messages/edit", command, account, messageId=message, text=command_fields.text(command))


def _revoke(command: Command, account: Account) -> GatewayCall:
    return _call("DELETE", "messages/delete", command, account, messageId=command_fields.text(command, "message_id"))


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
