"""Build the requests of each kind of command. Source: Wasender's API.

Wasender identifies its sent messages by a number of its own (`msgId`), which `deliver` returns. Only this number can be
quoted, edited or deleted. A quote of any other id is left out, because an answer without its quote is better than none;
an edit of any other id is rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

from pipeline.errors import InvalidRecord, UnsupportedCommand
from pipeline.providers.shared.paths import url_path
from pipeline.providers.wasender.jids import PERSON, contact_key, phone_number
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.types import Json

POLL_OPTIONS: Final = range(2, 13)
"""Allowed number of options: at least 2 by Wasender's documentation, at most 12 by WhatsApp."""


class WasenderCall(NamedTuple):
    """One HTTP request.

    Attributes:
        path: follows the base URL.
        creates_message: True if the call creates a message.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    body: Json | None = None
    creates_message: bool = False


class NotPossible(Exception):
    """Wasender can't carry out this command. The error's message is the outcome's."""


def build_calls(command: Command, link: str | None = None) -> list[WasenderCall]:
    """Return the requests that carry a command out. `link`: the URL of its uploaded file, if it has one.

    Raises `UnsupportedCommand` for a kind without an endpoint, `InvalidRecord` for a command without a required field,
    `NotPossible` for an id that Wasender does not know.
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
    return [WasenderCall("POST", "/send-message", body, creates_message=True)]


def address(recipient: str) -> str:
    """Return a person's number as E.164; the unchanged address of a group or channel."""
    digits = phone_number(recipient)
    return f"+{digits}" if digits else recipient


def chat_address(recipient: str) -> str:
    digits = phone_number(recipient)
    return digits + PERSON if digits else contact_key(recipient) or recipient


def upload_of(command: Command) -> Json | None:
    """Return the body of the upload that a media command with inline data needs; None without one."""
    media = command.body.get("media")
    if not isinstance(media, dict) or "link" in media or not isinstance(data := media.get("data"), str):
        return None
    return {"base64": f"data:{media.get('mime_type') or 'application/octet-stream'};base64,{data}"}


def _text(command: Command, _: str | None) -> Json:
    mentions = command.body.get("mentions")
    return {"text": _string(command, "text")} | ({"mentions": [*map(chat_address, mentions)]} if mentions else {})


def _media(field: str, *options: str) -> Callable[[Command, str | None], Json]:
    def content(command: Command, link: str | None) -> Json:
        media = command.body.get("media")
        if not isinstance(media, dict):
            raise InvalidRecord(f"a {command.kind} command without media")
        found = link or media.get("link")
        if not found:
            raise NotPossible(f"Wasender has no ids for media: give the {command.kind} a link or data")
        return {field: found} | {name: value for each in options for name, value in _option(each, command, media)}

    return content


def _option(name: str, command: Command, media: Mapping[str, Any]) -> list[tuple[str, Any]]:
    value, field = {
        "caption": (command.body.get("caption"), "text"),
        "view_once": (command.body.get("view_once"), "viewOnce"),
        "filename": (media.get("filename"), "fileName"),
    }[name]
    return [(field, value)] if value else []


def _location(command: Command, _: str | None) -> Json:
    body = command.body
    if not all(isinstance(body.get(name), int | float) for name in ("latitude", "longitude")):
        raise InvalidRecord("a location command without latitude and longitude")
    named = ("latitude", "longitude", "name", "address")
    return {"location": {name: body[name] for name in named if body.get(name) is not None}}


def _contacts(command: Command, _: str | None) -> Json:
    match command.body.get("contacts"):
        case [{"name": {"formatted_name": str(name)}, "phones": [{"phone": str(number)}, *_]}]:
            return {"contact": {"name": name, "phone": number}}
        case [_, _, *_]:
            raise NotPossible("Wasender sends one contact a message: send them one by one")
    raise InvalidRecord("a contacts command without a name and a phone")


def _poll(command: Command, _: str | None) -> Json:
    options = command.body.get("options")
    if not isinstance(options, list) or len(options) not in POLL_OPTIONS:
        raise NotPossible(f"a poll has {POLL_OPTIONS.start} to {POLL_OPTIONS.stop - 1} options")
    multiple = command.body.get("multiple") is True
    return {"poll": {"question": _string(command, "question"), "options": options, "multiSelect": multiple}}


def _edit(command: Command) -> list[WasenderCall]:
    return [WasenderCall("PUT", url_path("messages", _own_id(command)), {"text": _string(command, "text")})]


def _revoke(command: Command) -> list[WasenderCall]:
    return [WasenderCall("DELETE", url_path("messages", _own_id(command)))]


def _read(command: Command) -> list[WasenderCall]:
    """Mark a message as read. In a group Wasender would also need its author, which a command does not name."""
    key = {"id": _string(command, "message_id"), "remoteJid": chat_address(command.recipient), "fromMe": False}
    calls = [WasenderCall("POST", "/messages/read", {"key": key})]
    return [*calls, _presence(command, "composing")] if command.body.get("typing") else calls


def _typing(command: Command) -> list[WasenderCall]:
    return [_presence(command, "paused" if command.body.get("on") is False else "composing")]


def _presence(command: Command, kind: str) -> WasenderCall:
    return WasenderCall("POST", "/send-presence-update", {"jid": chat_address(command.recipient), "type": kind})


def _own_id(command: Command) -> str:
    message_id = _string(command, "message_id")
    if not (message_id.isascii() and message_id.isdecimal()):
        raise NotPossible(f"Wasender can {command.kind} only what it sent, by the number that the outcome names")
    return message_id


def _string(command: Command, name: str) -> str:
    value = command.body.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidRecord(f"a {command.kind} command without {name}")
    return value


_BUILDERS: Final[dict[CommandKind, Callable[[Command], list[WasenderCall]]]] = {
    CommandKind.EDIT: _edit,
    CommandKind.REVOKE: _revoke,
    CommandKind.READ: _read,
    CommandKind.TYPING: _typing,
}
_CONTENTS: Final[dict[CommandKind, Callable[[Command, str | None], Json]]] = {
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
"""Kinds that Wasender has an endpoint for."""
