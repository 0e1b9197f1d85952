"""What a message holds, brought into the Cloud API's shape.

The pages show a message without a type; the engine's own data has one (`_data.type`), and so had older builds. Where
neither says, the message is what it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from pipeline.providers.vcards import contact_of
from pipeline.providers.waha.identity import Payload, inner

Content = dict[str, Any]

_TYPES: Final = {
    "chat": "text",
    "text": "text",
    "image": "image",
    "video": "video",
    "gif": "video",
    "ptv": "video",
    "audio": "audio",
    "ptt": "voice",
    "voice": "voice",
    "document": "document",
    "sticker": "sticker",
    "location": "location",
    "vcard": "contacts",
    "multi_vcard": "contacts",
    "list_response": "interactive",
    "buttons_response": "interactive",
    "poll_creation": "poll",
}
"""The engines' names of types."""

_MEDIA: Final = {"image": "image", "video": "video", "audio": "audio"}
"""The type of media, by the first half of its MIME type."""


def content(payload: Payload) -> tuple[str, Any] | None:
    """The type of a message and the content that belongs to it; None for a message that holds nothing known."""
    kind = type_of(payload)
    made = _CONTENTS[kind](payload) if kind else None
    if kind is None or made is None:
        return None
    return ("audio", made) if kind == "voice" else (kind, made)


def type_of(payload: Payload) -> str | None:
    named = (payload.get("type"), inner(payload, "_data").get("type"))
    found = (_TYPES.get(name) for name in named if type(name) is str)
    return next((name for name in found if name), None) or next(_held(payload), None)


def _held(payload: Payload) -> Iterator[str]:
    """What the fields of a message say that it is."""
    media = _media_type(inner(payload, "media").get("mimetype"))
    if media:
        yield media
    if type(payload.get("location")) is dict:
        yield "location"
    if payload.get("vCards"):
        yield "contacts"
    if type(payload.get("body")) is str and payload.get("hasMedia") is not True:
        yield "text"


def _media_type(mime: object) -> str | None:
    if type(mime) is not str or not mime:
        return None
    if mime.startswith("image/webp"):
        return "sticker"
    if mime.startswith("audio/ogg"):
        return "voice"
    return _MEDIA.get(mime.partition("/")[0], "document")


def _text(payload: Payload) -> Content | None:
    body = payload.get("body")
    return {"body": body} if type(body) is str else None


def _media(payload: Payload, *, caption: bool = True, voice: bool | None = None) -> Content:
    """The reference to a file: its URL asks for the same key as the provider's API; none if it was not downloaded."""
    media, body = inner(payload, "media"), payload.get("body")
    made = {
        "url": media.get("url"),
        "mime_type": media.get("mimetype"),
        "filename": media.get("filename"),
        "caption": body if caption else None,
    }
    told = {name: value for name, value in made.items() if type(value) is str and value}
    return told | ({} if voice is None else {"voice": voice})


def _location(payload: Payload) -> Content | None:
    """The pages give the coordinates as strings."""
    found = inner(payload, "location")
    latitude, longitude = _degrees(found.get("latitude")), _degrees(found.get("longitude"))
    if latitude is None or longitude is None:
        return None
    named = {
        "name": found.get("name"),
        "address": found.get("address") or found.get("description"),
        "url": found.get("url"),
    }
    told = {name: value for name, value in named.items() if type(value) is str and value}
    return {"latitude": latitude, "longitude": longitude} | told


def _degrees(value: object) -> float | None:
    try:
        return float(value) if type(value) in (int, float, str) else None  # type: ignore[arg-type]
    except ValueError:
        return None


def _contacts(payload: Payload) -> list[Content] | None:
    cards = payload.get("vCards") or [payload.get("body")]
    found = [contact_of(card) for card in cards if type(card) is str] if type(cards) is list else []
    return found or None


def _interactive(payload: Payload) -> Content | None:
    """What was chosen from a list or among buttons, by the engine's own data."""
    data = inner(payload, "_data")
    row, title = inner(data, "listResponse", "singleSelectReply").get("selectedRowId"), _title(payload)
    if type(row) is str and row:
        return {"type": "list_reply", "list_reply": {"id": row, "title": title}}
    button = data.get("selectedButtonId")
    if type(button) is str and button:
        return {"type": "button_reply", "button_reply": {"id": button, "title": title}}
    return None


def _title(payload: Payload) -> str:
    body = payload.get("body")
    return body if type(body) is str else ""


def _poll(payload: Payload) -> Content | None:
    data = inner(payload, "_data")
    name, options = data.get("pollName"), data.get("pollOptions")
    if type(name) is not str or type(options) is not list:
        return None
    named = [option.get("name") if type(option) is dict else option for option in options]
    count = data.get("pollSelectableOptionsCount")
    limit = {"selectable_count": count} if type(count) is int else {}
    return {"name": name, "options": [option for option in named if type(option) is str]} | limit


_CONTENTS: Final[dict[str, Callable[[Payload], Any]]] = {
    "text": _text,
    "image": _media,
    "video": _media,
    "document": _media,
    "audio": lambda payload: _media(payload, caption=False, voice=False),
    "voice": lambda payload: _media(payload, caption=False, voice=True),
    "sticker": lambda payload: _media(payload, caption=False),
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "poll": _poll,
}
