"""Validate the body of a send as Wasender does. Its type follows from its fields."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from pipeline.sandbox.types import JsonObject
from pipeline.sandbox.wasender.errors import invalid, no_such_jid

_MEDIA: Final = {
    "imageUrl": "image",
    "videoUrl": "video",
    "audioUrl": "audio",
    "documentUrl": "document",
    "stickerUrl": "sticker",
}
_OBJECTS: Final = {"contact": "contacts", "location": "location", "poll": "poll"}
_PHONE: Final = re.compile(r"\+?[1-9]\d{6,14}", re.ASCII)
_JID: Final = re.compile(r"[0-9-]+@(s\.whatsapp\.net|c\.us|g\.us|newsletter|lid)", re.ASCII)
_OPTIONS: Final = range(2, 13)


class WasenderSend(NamedTuple):
    """A valid send. `chat` is the recipient's address."""

    chat: str
    type: str
    content: JsonObject


def validated(body: JsonObject) -> WasenderSend:
    """Return the send of a body. Raise `ApiError`."""
    chat = _chat(body.get("to"))
    found = [name for name in (*_MEDIA, *_OBJECTS) if body.get(name) is not None]
    if len(found) > 1:
        raise invalid({found[1]: f"The {found[1]} field is prohibited when {found[0]} is present."})
    kind = {**_MEDIA, **_OBJECTS}[found[0]] if found else "text"
    if chat.endswith("@newsletter") and kind != "text":
        raise invalid({"to": "Channels take text messages only."})
    _CHECKS.get(kind, _check_media)(body)
    _check_reply(body.get("replyTo"))
    return WasenderSend(chat, kind, {name: value for name, value in body.items() if name != "to"})


def contact(chat: str) -> str:
    """Return the recipient as `/_sandbox` shows it: the phone number of a person, the address of anything else."""
    return chat.removesuffix("@s.whatsapp.net")


def _chat(to: object) -> str:
    if not to:
        raise invalid({"to": "The to field is required."})
    if isinstance(to, str) and _PHONE.fullmatch(to):
        return to.lstrip("+") + "@s.whatsapp.net"
    if not isinstance(to, str) or not _JID.fullmatch(to):
        raise invalid({"to": "The to field must be a phone number or a JID."})
    if to.endswith("@lid"):
        raise no_such_jid()
    return to.replace("@c.us", "@s.whatsapp.net")


def _check_text(body: JsonObject) -> None:
    if not body.get("text"):
        raise invalid({"text": "The text field is required when no media is present."})
    if not isinstance(body["text"], str):
        raise invalid({"text": "The text field must be a string."})


def _check_media(body: JsonObject) -> None:
    name = next(name for name in _MEDIA if body.get(name) is not None)
    url = body[name]
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
        raise invalid({name: f"The {name} field must be a valid URL."})
    if name == "stickerUrl" and body.get("text"):
        raise invalid({"text": "The text field is prohibited for stickers."})


def _check_contact(body: JsonObject) -> None:
    _require(body["contact"], "contact", {"name": str, "phone": str})


def _check_location(body: JsonObject) -> None:
    _require(body["location"], "location", {"latitude": int | float, "longitude": int | float})


def _check_poll(body: JsonObject) -> None:
    _require(body["poll"], "poll", {"question": str, "options": list})
    if len(body["poll"]["options"]) not in _OPTIONS:
        raise invalid({"poll.options": "The poll.options field must have between 2 and 12 items."})


def _require(value: Any, name: str, fields: dict[str, Any]) -> None:
    found = value if isinstance(value, dict) else {}
    for field, kind in fields.items():
        if not isinstance(found.get(field), kind) or found[field] in ("", []):
            raise invalid({f"{name}.{field}": f"The {name}.{field} field is required."})


def _check_reply(reply_to: object) -> None:
    if reply_to is not None and type(reply_to) is not int:
        raise invalid({"replyTo": "The replyTo field must be an integer."})


_CHECKS: Final[dict[str, Callable[[JsonObject], None]]] = {
    "text": _check_text,
    "contacts": _check_contact,
    "location": _check_location,
    "poll": _check_poll,
}
