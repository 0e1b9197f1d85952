"""Build WAHA's call for each kind of command. Sources: WAHA, send messages; buttons; chats."""

from __future__ import annotations

from typing import Any, Final

from pipeline.errors import UnsupportedCommand
from pipeline.providers.gateway import command_fields
from pipeline.providers.gateway.calls import Builders, GatewayCall
from pipeline.providers.shared.paths import url_path
from pipeline.tenants import Account
from pipeline.topics.commands import Command, CommandKind

_PINNED: Final = 86400
"""Seconds that a message stays pinned by default. WhatsApp accepts 24 hours, 7 days or 30 days."""


def _chat(command: Command, account: Account, **content: Any) -> dict[str, Any]:
    return {"session": account.session_name, "chatId": command_fields.chat_id(command), **content}


def _post(command: Command, account: Account, name: str, **content: Any) -> GatewayCall:
    return GatewayCall("POST", f"/api/{name}", _chat(command, account, **content) | command_fields.replying(command))


def _text(command: Command, account: Account) -> GatewayCall:
    preview = command.body.get("preview_url") is True
    content = command_fields.optional(command, mentions="mentions")
    return _post(command, account, "sendText", text=command_fields.text(command), linkPreview=preview, **content)


def _file(command: Command, account: Account) -> GatewayCall:
    name = "sendImage" if command.kind is CommandKind.IMAGE else "sendFile"
    return _post(
        command, account, name, file=command_fields.file(command), **command_fields.optional(command, caption="caption")
    )


def _video(command: Command, account: Account) -> GatewayCall:
    caption = command_fields.optional(command, caption="caption")
    return _post(command, account, "sendVideo", file=command_fields.file(command), asNote=False, **caption)


def _voice(command: Command, account: Account) -> GatewayCall:
    """Send audio as a voice message, the only kind that the chat can play."""
    sent = command_fields.file(command)
    return _post(command, account, "sendVoice", file=sent, convert=command_fields.needs_conversion(sent))


def _location(command: Command, account: Account) -> GatewayCall:
    latitude, longitude = command_fields.coordinates(command)
    named = [command.body[name] for name in ("name", "address") if command.body.get(name)]
    return _post(command, account, "sendLocation", latitude=latitude, longitude=longitude, title=", ".join(named))


def _contacts(command: Command, account: Account) -> GatewayCall:
    return _post(command, account, "sendContactVcard", **command_fields.contacts(command))


def _list(command: Command, account: Account) -> GatewayCall:
    return _post(command, account, "sendList", **command_fields.menu(command))


def _buttons(command: Command, account: Account) -> GatewayCall:
    shown = [{"type": "reply", "text": each["title"], "id": each["id"]} for each in command.body.get("buttons", ())]
    return _with_buttons(command, account, shown)


def _cta(command: Command, account: Account) -> GatewayCall:
    button = {"type": "url", "text": command_fields.text(command, "button"), "url": command_fields.text(command, "url")}
    return _with_buttons(command, account, [button])


def _with_buttons(command: Command, account: Account, shown: list[dict[str, str]]) -> GatewayCall:
    content = {"body": command_fields.text(command), "buttons": shown} | command_fields.optional(
        command, footer="footer"
    )
    return _post(command, account, "sendButtons", **_header(command), **content)


def _header(command: Command) -> dict[str, Any]:
    header = command.body.get("header")
    if not header:
        return {}
    if header.get("type") == "text":
        return {"header": header["text"]}
    if header.get("type") != "image":
        raise UnsupportedCommand("waha can put a text or an image above buttons, nothing else")
    image = command.model_copy(update={"kind": CommandKind.IMAGE, "body": {"media": header.get("media")}})
    return {"headerImage": command_fields.file(image)}


def _poll(command: Command, account: Account) -> GatewayCall:
    return _post(command, account, "sendPoll", **command_fields.poll(command))


def _forward(command: Command, account: Account) -> GatewayCall:
    return _post(command, account, "forwardMessage", messageId=command_fields.text(command, "message_id"))


def _read(command: Command, account: Account) -> GatewayCall:
    return _post(command, account, "sendSeen", **command_fields.seen(command))


def _typing(command: Command, account: Account) -> GatewayCall:
    return _post(command, account, "startTyping" if command.body.get("on", True) else "stopTyping")


def _reaction(command: Command, account: Account) -> GatewayCall:
    return GatewayCall("PUT", "/api/reaction", {"session": account.session_name, **command_fields.reaction(command)})


def _message(command: Command, account: Account) -> str:
    """Return the path of one message of a chat."""
    message = command_fields.text(command, "message_id")
    return url_path("api", account.session_name, "chats", command_fields.chat_id(command), "messages", message)


def _edit(command: Command, account: Account) -> GatewayCall:
    return GatewayCall("PUT", _message(command, account), {"text": command_fields.text(command)})


def _revoke(command: Command, account: Account) -> GatewayCall:
    return GatewayCall("DELETE", _message(command, account), {})


def _pin(command: Command, account: Account) -> GatewayCall:
    if not command.body.get("on", True):
        return GatewayCall("POST", _message(command, account) + "/unpin", {})
    return GatewayCall(
        "POST", _message(command, account) + "/pin", {"duration": command.body.get("seconds") or _PINNED}
    )


BUILDERS: Final[Builders] = {
    CommandKind.TEXT: _text,
    CommandKind.READ: _read,
    CommandKind.TYPING: _typing,
    CommandKind.IMAGE: _file,
    CommandKind.VIDEO: _video,
    CommandKind.AUDIO: _voice,
    CommandKind.DOCUMENT: _file,
    CommandKind.LOCATION: _location,
    CommandKind.CONTACTS: _contacts,
    CommandKind.BUTTONS: _buttons,
    CommandKind.LIST: _list,
    CommandKind.CTA: _cta,
    CommandKind.REACTION: _reaction,
    CommandKind.POLL: _poll,
    CommandKind.EDIT: _edit,
    CommandKind.REVOKE: _revoke,
    CommandKind.FORWARD: _forward,
    CommandKind.PIN: _pin,
}
