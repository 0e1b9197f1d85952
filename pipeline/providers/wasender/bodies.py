"""The request of each kind of command. Source: Wasender's API, `send-message`, `messages` and `send-presence-update`.

Wasender knows the messages that it sent by a number of its own (`msgId`), which is what `deliver` gives back. It is
the only id that quoting, editing and deleting take. A quote of anything else is left out, for an answer without its
quote is better than none; an edit of anything else is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

from pipeline.errors import InvalidRecord, UnsupportedCommand
from pipeline.providers.paths import url_path
from pipeline.providers.wasender.jids import PERSON, contact, phone
from pipeline.topics.commands import Command, CommandKind

Body = dict[str, Any]

POLL_OPTIONS: Final = range(2, 13)
"""At least 2 options by Wasender's documents, at most 12 by WhatsApp."""


class Call(NamedTuple):
    """One request. `path` follows the base URL; `sends` says whether a message comes of it."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    body: Body | None = None
    sends: bool = False


class Refusal(Exception):
    """Wasender could not do this, whatever is asked of it. The message is for people."""


def build_calls(command: Command, link: str | None = None) -> list[Call]:
    """The requests that carry a command out; `link` is where its uploaded file lies, if it had one.

    Raises `UnsupportedCommand` for a kind without an endpoint, `InvalidRecord` for a command without what its kind
    needs, `Refusal` for one that names what Wasender does not know.
    """
    build = _BUILDERS.get(command.kind)
    if build is not None:
        return build(command)
    content = _CONTENTS.get(command.kind)
    if content is None:
        raise UnsupportedCommand(f"Wasender can't do {command.kind}")
    body = {"to": address(command.recipient), **content(command, link)}
    if command.reply_to and command.reply_to.isascii() and command.reply_to.isdecimal():
        body["replyTo"] = int(command.reply_to)
    return [Call("POST", "/send-message", body, sends=True)]


def address(recipient: str) -> str:
    """E.164 for a person, the address as it is for a group or a channel."""
    digits = phone(recipient)
    return f"+{digits}" if digits else recipient


def chat_address(recipient: str) -> str:
    digits = phone(recipient)
    return digits + PERSON if digits else contact(recipient) or recipient


def upload_of(command: Command) -> Body | None:
    """What is to be uploaded before: the data of a media command that has no link."""
    media = command.body.get("media")
    if not isinstance(media, dict) or "link" in media or not isinstance(data := media.get("data"), str):
        return None
    return {"base64": f"data:{media.get('mime_type') or 'application/octet-stream'};base64,{data}"}


def _text(command: Command, _: str | None) -> Body:
    mentions = command.body.get("mentions")
    return {"text": _string(command, "text")} | ({"mentions": [*map(chat_address, mentions)]} if mentions else {})


def _media(field: str, *options: str) -> Callable[[Command, str | None], Body]:
    def content(command: Command, link: str | None) -> Body:
        media = command.body.get("media")
        if not isinstance(media, dict):
            raise InvalidRecord(f"a {command.kind} command without media")
        found = link or media.get("link")
        if not found:
            raise Refusal(f"Wasender has no ids for media: give the {command.kind} a link or data")
        return {field: found} | {name: value for each in options for name, value in _option(each, command, media)}

    return content


def _option(name: str, command: Command, media: Mapping[str, Any]) -> list[tuple[str, Any]]:
    value, field = {
        "caption": (command.body.get("caption"), "text"),
        "view_once": (command.body.get("view_once"), "viewOnce"),
        "filename": (media.get("filename"), "fileName"),
    }[name]
    return [(field, value)] if value else []


def _location(command: Command, _: str | None) -> Body:
    body = command.body
    if not all(isinstance(body.get(name), int | float) for name in ("latitude", "longitude")):
        raise InvalidRecord("a location command without latitude and longitude")
    named = ("latitude", "longitude", "name", "address")
    return {"location": {name: body[name] for name in named if body.get(name) is not None}}


def _contacts(command: Command, _: str | None) -> Body:
    match command.body.get("contacts"):
        case [{"name": {"formatted_name": str(name)}, "phones": [{"phone": str(number)}, *_]}]:
            return {"contact": {"name": name, "phone": number}}
        case [_, _, *_]:
            raise Refusal("Wasender sends one contact a message: send them one by one")
    raise InvalidRecord("a contacts command without a name and a phone")


def _poll(command: Command, _: str | None) -> Body:
    options = command.body.get("options")
    if not isinstance(options, list) or len(options) not in POLL_OPTIONS:
        raise Refusal(f"a poll has {POLL_OPTIONS.start} to {POLL_OPTIONS.stop - 1} options")
    multiple = command.body.get("multiple") is True
    return {"poll": {"question": _string(command, "question"), "options": options, "multiSelect": multiple}}


def _edit(command: Command) -> list[Call]:
    return [Call("PUT", url_path("messages", _own_id(command)), {"text": _string(command, "text")})]


def _revoke(command: Command) -> list[Call]:
    return [Call("DELETE", url_path("messages", _own_id(command)))]


def _read(command: Command) -> list[Call]:
    """In a group Wasender would need to know who wrote the message, which a command does not say."""
    key = {"id": _string(command, "message_id"), "remoteJid": chat_address(command.recipient), "fromMe": False}
    calls = [Call("POST", "/messages/read", {"key": key})]
    return [*calls, _presence(command, "composing")] if command.body.get("typing") else calls


def _typing(command: Command) -> list[Call]:
    return [_presence(command, "paused" if command.body.get("on") is False else "composing")]


def _presence(command: Command, kind: str) -> Call:
    return Call("POST", "/send-presence-update", {"jid": chat_address(command.recipient), "type": kind})


def _own_id(command: Command) -> str:
    message_id = _string(command, "message_id")
    if not (message_id.isascii() and message_id.isdecimal()):
        raise Refusal(f"Wasender can {command.kind} only what it sent, by the number that the outcome names")
    return message_id


def _string(command: Command, name: str) -> str:
    value = command.body.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidRecord(f"a {command.kind} command without {name}")
    return value


_BUILDERS: Final[dict[CommandKind, Callable[[Command], list[Call]]]] = {
    CommandKind.EDIT: _edit,
    CommandKind.REVOKE: _revoke,
    CommandKind.READ: _read,
    CommandKind.TYPING: _typing,
}
_CONTENTS: Final[dict[CommandKind, Callable[[Command, str | None], Body]]] = {
    CommandKind.TEXT: _text,
    CommandKind.IMAGE: _media("imageUrl", "caption", "view_once"),
    CommandKind.VIDEO: _media("videoUrl", "caption", "view_once"),
    CommandKind.AUDIO: _media("audioUrl", "view_once"),
    CommandKind.DOCUMENT: _media("documentUrl", "caption", "filename"),
    CommandKind.STICKER: _media("stickerUrl"),
    CommandKind.LOCATION: _location,
    CommandKind.CONTACTS: _contacts,
    CommandKind.POLL: _poll,
}
KINDS: Final = frozenset(_BUILDERS) | frozenset(_CONTENTS)
"""What Wasender has an endpoint for."""
