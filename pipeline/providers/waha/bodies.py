"""The call that each kind of command is. Sources: WAHA, send messages; buttons; chats."""

from __future__ import annotations

from typing import Any, Final

from pipeline.errors import UnsupportedCommand
from pipeline.providers.paths import url_path
from pipeline.providers.waha import fields
from pipeline.providers.waha.calls import Builders, Call
from pipeline.tenants import Account
from pipeline.topics.commands import Command, CommandKind

_PINNED: Final = 86400
"""WhatsApp takes 24 hours, 7 days or 30 days."""


def _chat(command: Command, account: Account, **content: Any) -> dict[str, Any]:
    return {"session": account.session_name, "chatId": fields.chat_id(command), **content}


def _post(command: Command, account: Account, name: str, **content: Any) -> Call:
    return Call("POST", f"/api/{name}", _chat(command, account, **content) | fields.replying(command))


def _text(command: Command, account: Account) -> Call:
    preview = command.body.get("preview_url") is True
    content = fields.optional(command, mentions="mentions")
    return _post(command, account, "sendText", text=fields.text(command), linkPreview=preview, **content)


def _file(command: Command, account: Account) -> Call:
    name = "sendImage" if command.kind is CommandKind.IMAGE else "sendFile"
    return _post(command, account, name, file=fields.file(command), **fields.optional(command, caption="caption"))


def _video(command: Command, account: Account) -> Call:
    caption = fields.optional(command, caption="caption")
    return _post(command, account, "sendVideo", file=fields.file(command), asNote=False, **caption)


def _voice(command: Command, account: Account) -> Call:
    """There is no other way for audio that can be played in the chat."""
    sent = fields.file(command)
    return _post(command, account, "sendVoice", file=sent, convert=fields.needs_conversion(sent))


def _location(command: Command, account: Account) -> Call:
    latitude, longitude = fields.coordinates(command)
    named = [command.body[name] for name in ("name", "address") if command.body.get(name)]
    return _post(command, account, "sendLocation", latitude=latitude, longitude=longitude, title=", ".join(named))


def _contacts(command: Command, account: Account) -> Call:
    return _post(command, account, "sendContactVcard", **fields.contacts(command))


def _list(command: Command, account: Account) -> Call:
    return _post(command, account, "sendList", **fields.menu(command))


def _buttons(command: Command, account: Account) -> Call:
    shown = [{"type": "reply", "text": each["title"], "id": each["id"]} for each in command.body.get("buttons", ())]
    return _with_buttons(command, account, shown)


def _cta(command: Command, account: Account) -> Call:
    button = {"type": "url", "text": fields.text(command, "button"), "url": fields.text(command, "url")}
    return _with_buttons(command, account, [button])


def _with_buttons(command: Command, account: Account, shown: list[dict[str, str]]) -> Call:
    content = {"body": fields.text(command), "buttons": shown} | fields.optional(command, footer="footer")
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
    return {"headerImage": fields.file(image)}


def _poll(command: Command, account: Account) -> Call:
    return _post(command, account, "sendPoll", **fields.poll(command))


def _forward(command: Command, account: Account) -> Call:
    return _post(command, account, "forwardMessage", messageId=fields.text(command, "message_id"))


def _read(command: Command, account: Account) -> Call:
    return _post(command, account, "sendSeen", **fields.seen(command))


def _typing(command: Command, account: Account) -> Call:
    return _post(command, account, "startTyping" if command.body.get("on", True) else "stopTyping")


def _reaction(command: Command, account: Account) -> Call:
    return Call("PUT", "/api/reaction", {"session": account.session_name, **fields.reaction(command)})


def _message(command: Command, account: Account) -> str:
    """The path of one message of a chat."""
    message = fields.text(command, "message_id")
    return url_path("api", account.session_name, "chats", fields.chat_id(command), "messages", message)


def _edit(command: Command, account: Account) -> Call:
    return Call("PUT", _message(command, account), {"text": fields.text(command)})


def _revoke(command: Command, account: Account) -> Call:
    return Call("DELETE", _message(command, account), {})


def _pin(command: Command, account: Account) -> Call:
    if not command.body.get("on", True):
        return Call("POST", _message(command, account) + "/unpin", {})
    return Call("POST", _message(command, account) + "/pin", {"duration": command.body.get("seconds") or _PINNED})


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
