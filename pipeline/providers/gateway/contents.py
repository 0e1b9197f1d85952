"""Convert a message's content into the Cloud API's shape.

NOWEB and GOWS contain the protocol's message, which is complete. WEBJS and older builds have a type (`_data.type`).
Without both, the fields of the message determine its type, as in the documentation's examples. A type that is none of a
user's messages does not become a text, even if there is one beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Final

from pipeline.providers.gateway.engine import nested_object
from pipeline.providers.shared import contents as protocol
from pipeline.providers.shared.fields import identifier
from pipeline.providers.shared.stubs import stub_name
from pipeline.providers.shared.vcards import parse_vcard
from pipeline.topics.types import Json

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
"""Message types by the engines' names."""

CAPTIONED: Final = frozenset({"image", "video", "document"})
_FILES: Final = CAPTIONED | {"audio", "sticker"}
_ENCRYPTED: Final = frozenset({"url", "mediaKey"})
"""Fields of the protocol's medium that only WhatsApp's own clients can use."""
_MEDIA: Final = {"image": "image", "video": "video", "audio": "audio"}
"""Message types by the first half of the MIME type."""


def read_content(payload: Json, message: Json) -> tuple[str, Any] | None:
    """Return the type and content of a message; None without any known content.

    Args:
        message: the protocol's message; empty if the engine does not keep it.
    """
    content = protocol.read_content(message) if message else None
    if content is not None:
        return _with_file(payload, *content)
    kind = _type_of(payload, message)
    made = _CONTENTS[kind](payload) if kind else None
    if kind is None or made is None:
        return None
    return ("audio", made) if kind == "voice" else (kind, made)


def message_type(payload: Json, message: Json) -> str:
    """Return the type name of a message without a model: its type, else the protocol's name of its content."""
    return _given_type(payload) or _protocol_type(payload, message) or protocol.type_name(message)


def is_empty(payload: Json, message: Json) -> bool:
    """Return True if the message has no content yet. The content may follow under the same id."""
    return protocol.is_empty(message) and next(_content_types(payload), None) is None


def _type_of(payload: Json, message: Json) -> str | None:
    """Return the named or detected type. An unsupported type takes precedence over a text, but not over a file."""
    given = _given_type(payload)
    if given in _TYPES:
        return _TYPES[given]
    held = next(_content_types(payload), None)
    return None if held == "text" and (given or _protocol_type(payload, message)) else held


def _given_type(payload: Json) -> str | None:
    named = (nested_object(payload, "_data").get("type"), payload.get("type"))
    return next((name for name in named if type(name) is str and name), None)


def _protocol_type(payload: Json, message: Json) -> str | None:
    """Return the name of the protocol's content or of its placeholder, unless it is a text."""
    if protocol.is_empty(message):
        return stub_name(nested_object(payload, "_data").get("messageStubType"))
    return None if protocol.is_text(message) else protocol.type_name(message)


def _with_file(payload: Json, kind: str, content: Any) -> tuple[str, Any]:
    """Replace the protocol's file, which is encrypted, with the one that the gateway downloaded."""
    if kind not in _FILES:
        return kind, content
    kept = {name: value for name, value in content.items() if name not in _ENCRYPTED}
    voice = {"voice": False} if kind == "audio" else {}
    return kind, voice | kept | _file(payload)


def _content_types(payload: Json) -> Iterator[str]:
    """Yield the types of content that the message's fields show."""
    media = _media_type(nested_object(payload, "media").get("mimetype"))
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


def _text(payload: Json) -> Json | None:
    """Return a text; None for an empty one, which nobody can send."""
    body = payload.get("body")
    return {"body": body} if type(body) is str and body else None


def _media(payload: Json, *, caption: bool = True, voice: bool | None = None) -> Json:
    body = payload.get("body")
    content = {"caption": body} if caption and type(body) is str and body else {}
    return _file(payload) | content | ({} if voice is None else {"voice": voice})


def _file(payload: Json) -> Json:
    """Return the reference to a file; empty if it was not downloaded. Its URL requires the provider's API key."""
    media = nested_object(payload, "media")
    made = {"url": media.get("url"), "mime_type": media.get("mimetype"), "filename": media.get("filename")}
    return {name: value for name, value in made.items() if type(value) is str and value}


def _location(payload: Json) -> Json | None:
    """Return a location. The documentation gives coordinates as strings."""
    found = nested_object(payload, "location")
    latitude, longitude = _degrees(found.get("latitude")), _degrees(found.get("longitude"))
    if latitude is None or longitude is None:
        return None
    named = {
        "name": found.get("name"),
        "address": found.get("address") or found.get("description"),
        "url": found.get("url"),
    }
    content = {name: value for name, value in named.items() if type(value) is str and value}
    return {"latitude": latitude, "longitude": longitude} | content


def _degrees(value: object) -> float | None:
    """Return a finite number; None for `nan` and `inf`, which JSON can't represent."""
    try:
        number = float(value) if type(value) in (int, float, str) else math.nan  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _contacts(payload: Json) -> list[Json] | None:
    cards = payload.get("vCards") or [payload.get("body")]
    found = [parse_vcard(card) for card in cards if type(card) is str] if type(cards) is list else []
    return found or None


def _interactive(payload: Json) -> Json | None:
    """Return the selection from a list or from buttons, by the engine's own data."""
    data = nested_object(payload, "_data")
    title = _title(payload)
    if row := identifier(nested_object(data, "listResponse", "singleSelectReply").get("selectedRowId")):
        return {"type": "list_reply", "list_reply": {"id": row, "title": title}}
    if button := identifier(data.get("selectedButtonId")):
        return {"type": "button_reply", "button_reply": {"id": button, "title": title}}
    return None


def _button(payload: Json) -> Json | None:
    """Return the selected button of a template."""
    data = nested_object(payload, "_data")
    chosen = identifier(data.get("selectedId")) or identifier(data.get("selectedButtonId"))
    return {"text": _title(payload), "payload": chosen} if chosen else None


def _title(payload: Json) -> str:
    body = payload.get("body")
    return body if type(body) is str else ""


def _poll(payload: Json) -> Json | None:
    data = nested_object(payload, "_data")
    name, options = data.get("pollName"), data.get("pollOptions")
    if type(name) is not str or type(options) is not list:
        return None
    named = [option.get("name") if type(option) is dict else option for option in options]
    count = data.get("pollSelectableOptionsCount")
    limit = {"selectable_count": count} if type(count) is int else {}
    return {"name": name, "options": [option for option in named if type(option) is str]} | limit


_CONTENTS: Final[dict[str, Callable[[Json], Any]]] = {
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
