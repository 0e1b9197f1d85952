"""What a message holds, brought into the Cloud API's shape.

NOWEB and GOWS keep the protocol's message in their data: it says all. WEBJS has a type (`_data.type`), and so had older
builds. Where none of them says, the message is what its fields hold: the pages show it without a type. A type that is
none of a user's messages makes no text of what stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Final

from pipeline.providers.shared import contents as protocol
from pipeline.providers.shared.fields import identifier
from pipeline.providers.shared.stubs import stub_name
from pipeline.providers.vcards import contact_of
from pipeline.providers.waha.engine import Json, inner
from pipeline.providers.waha.identity import Payload

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
    "template_button_reply": "button",
    "poll_creation": "poll",
}
"""The engines' names of types."""

CAPTIONED: Final = frozenset({"image", "video", "document"})
_FILES: Final = CAPTIONED | {"audio", "sticker"}
_ENCRYPTED: Final = frozenset({"url", "mediaKey"})
"""What of the protocol's medium serves none but WhatsApp's own clients."""
_MEDIA: Final = {"image": "image", "video": "video", "audio": "audio"}
"""The type of media, by the first half of its MIME type."""


def content(payload: Payload, message: Json) -> tuple[str, Any] | None:
    """The type of a message and the content that belongs to it; None for a message that holds nothing known.

    Args:
        message: the protocol's, where the engine keeps it; else empty.
    """
    told = protocol.content(message) if message else None
    if told is not None:
        return _with_file(payload, *told)
    kind = _type_of(payload, message)
    made = _CONTENTS[kind](payload) if kind else None
    if kind is None or made is None:
        return None
    return ("audio", made) if kind == "voice" else (kind, made)


def name_of(payload: Payload, message: Json) -> str:
    """What a message without a model is called: by its type, else by the protocol's name for what it holds."""
    return _given_type(payload) or _foreign(payload, message) or protocol.type_name(message)


def holds_nothing(payload: Payload, message: Json) -> bool:
    """Whether nothing is in it that somebody wrote. What was written may still follow, under the same id."""
    return protocol.is_empty(message) and next(_held(payload), None) is None


def _type_of(payload: Payload, message: Json) -> str | None:
    """The type that is given, or is to be seen. A foreign type stands above a text, and not above a file."""
    given = _given_type(payload)
    if given in _TYPES:
        return _TYPES[given]
    held = next(_held(payload), None)
    return None if held == "text" and (given or _foreign(payload, message)) else held


def _given_type(payload: Payload) -> str | None:
    named = (inner(payload, "_data").get("type"), payload.get("type"))
    return next((name for name in named if type(name) is str and name), None)


def _foreign(payload: Payload, message: Json) -> str | None:
    """The name of what the protocol's message holds, or of what stands in its place, if it is none of a user's."""
    if protocol.is_empty(message):
        return stub_name(inner(payload, "_data").get("messageStubType"))
    return None if protocol.is_text(message) else protocol.type_name(message)


def _with_file(payload: Payload, kind: str, told: Any) -> tuple[str, Any]:
    """A medium with the file that the gateway downloaded. The protocol's own is encrypted: nobody could open it."""
    if kind not in _FILES:
        return kind, told
    kept = {name: value for name, value in told.items() if name not in _ENCRYPTED}
    voice = {"voice": False} if kind == "audio" else {}
    return kind, voice | kept | _file(payload)


def _held(payload: Payload) -> Iterator[str]:
    """What the fields of a message say that it is."""
    media = _media_type(inner(payload, "media").get("mimetype"))
    if media:
        yield media
    if type(payload.get("location")) is dict:
        yield "location"
    if payload.get("vCards"):
        yield "contacts"
    if _text(payload) and payload.get("hasMedia") is not True:
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
    """Nobody can send an empty text."""
    body = payload.get("body")
    return {"body": body} if type(body) is str and body else None


def _media(payload: Payload, *, caption: bool = True, voice: bool | None = None) -> Content:
    body = payload.get("body")
    told = {"caption": body} if caption and type(body) is str and body else {}
    return _file(payload) | told | ({} if voice is None else {"voice": voice})


def _file(payload: Payload) -> Content:
    """The reference to a file: its URL asks for the same key as the provider's API; none if it was not downloaded."""
    media = inner(payload, "media")
    made = {"url": media.get("url"), "mime_type": media.get("mimetype"), "filename": media.get("filename")}
    return {name: value for name, value in made.items() if type(value) is str and value}


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
    """A number. `nan` and `inf` are none in JSON: the event could be written, and not be read again."""
    try:
        number = float(value) if type(value) in (int, float, str) else math.nan  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _contacts(payload: Payload) -> list[Content] | None:
    cards = payload.get("vCards") or [payload.get("body")]
    found = [contact_of(card) for card in cards if type(card) is str] if type(cards) is list else []
    return found or None


def _interactive(payload: Payload) -> Content | None:
    """What was chosen from a list or among buttons, by the engine's own data."""
    data = inner(payload, "_data")
    title = _title(payload)
    if row := identifier(inner(data, "listResponse", "singleSelectReply").get("selectedRowId")):
        return {"type": "list_reply", "list_reply": {"id": row, "title": title}}
    if button := identifier(data.get("selectedButtonId")):
        return {"type": "button_reply", "button_reply": {"id": button, "title": title}}
    return None


def _button(payload: Payload) -> Content | None:
    """The button of a template."""
    data = inner(payload, "_data")
    chosen = identifier(data.get("selectedId")) or identifier(data.get("selectedButtonId"))
    return {"text": _title(payload), "payload": chosen} if chosen else None


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
    "button": _button,
    "poll": _poll,
}
