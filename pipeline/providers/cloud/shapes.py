"""A quick look at types, so that the usual webhook needs no model to be known as well-formed.

What fits is sure to validate as an event. What does not fit may still: it is looked at by the model itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from pydantic import ValidationError

from pipeline.metrics import IGNORED_FIELDS
from pipeline.topics.events import validate
from pipeline.topics.events.lenient import Path, fit

Shape: TypeAlias = dict[str, Any]
"""The exact type of each field, or the shape of the object in it. Fields that it does not name may hold anything."""

NEEDED: Final = ""
"""The key of a shape under which are the names of the fields that must be there."""


class _Rare:
    """The type of nothing: a field that has it makes the object one for the model to look at."""


_RARE: Final = _Rare

_CONTEXT: Final[Shape] = {
    "id": str,
    "from": str,
    "from_user_id": str,
    "from_parent_user_id": str,
    "forwarded": bool,
    "frequently_forwarded": bool,
    "referred_product": _RARE,
}

MESSAGE: Final[Shape] = {
    "id": str,
    "from": str,
    "from_user_id": str,
    "from_parent_user_id": str,
    "group_id": str,
    "timestamp": str,
    "type": str,
    "context": _CONTEXT,
    "referral": _RARE,
    "errors": _RARE,
}

_MEDIA: Final[Shape] = {
    "id": str,
    "mime_type": str,
    "sha256": str,
    "url": str,
    "caption": str,
    "filename": str,
    "file_size": _RARE,
    "duration": _RARE,
}

CONTENTS: Final[Mapping[str, Shape]] = {
    "text": {NEEDED: ("body",), "body": str},
    "image": _MEDIA,
    "video": _MEDIA | {"note": _RARE, "width": _RARE, "height": _RARE},
    "audio": _MEDIA | {"voice": bool},
    "document": _MEDIA,
    "sticker": _MEDIA | {"animated": bool},
    "location": {
        NEEDED: ("latitude", "longitude"),
        "latitude": float,
        "longitude": float,
        "name": str,
        "address": str,
        "url": str,
        "live": bool,
    },
    "interactive": {
        NEEDED: ("type",),
        "type": str,
        "button_reply": {NEEDED: ("id",), "id": str, "title": str},
        "list_reply": {NEEDED: ("id",), "id": str, "title": str, "description": str},
        "nfm_reply": {"name": str, "body": str, "response_json": str},
        "call_permission_reply": _RARE,
    },
    "button": {"text": str, "payload": str},
    "reaction": {NEEDED: ("message_id",), "message_id": str, "emoji": str},
}
"""The content of the usual types. The others are the model's to judge."""

STATUS: Final[Shape] = {
    "id": str,
    "status": str,
    "timestamp": str,
    "recipient_id": str,
    "recipient_user_id": str,
    "recipient_parent_user_id": str,
    "recipient_type": str,
    "recipient_participant_id": str,
    "recipient_participant_user_id": str,
    "recipient_participant_parent_user_id": str,
    "recipient_identity_key_hash": str,
    "biz_opaque_callback_data": str,
    "pricing": {"billable": bool, "pricing_model": str, "type": str, "category": str},
    "conversation": _RARE,
    "errors": _RARE,
}


def fits(value: dict[str, Any], shape: Shape) -> bool:
    """Whether every field that the shape names has exactly its type, and those that it needs are there."""
    for name in shape.get(NEEDED, ()):
        if name not in value:
            return False
    for name, item in value.items():
        expected = shape.get(name)
        if expected is None or type(item) is expected:
            continue
        if type(expected) is not dict or type(item) is not dict or not fits(item, expected):
            return False
    return True


def settled(body: dict[str, Any]) -> bool:
    """The last word on an event whose shape is not the usual one: its model's.

    An odd leaf is no reason to refuse the rest: it is left out of `body`, and `ignored_fields` says where it was. In
    `raw` it stays as it came.
    """
    try:
        validate(body)
    except ValidationError:
        return _fitted(body)
    return True


def _fitted(body: dict[str, Any]) -> bool:
    fitted = fit(body, validate, locate=_without_tags, target=_left_out)
    if fitted is None:
        return False
    body.clear()
    body |= fitted.data
    if fitted.ignored:
        body["ignored_fields"] = fitted.ignored
        IGNORED_FIELDS.labels(body["provider"], body["kind"]).inc(len(fitted.ignored))
    return True


def _without_tags(loc: Path) -> Path:
    """pydantic names the members of the two unions as well: the kind of the event, the type of its message."""
    path = loc[1:]
    return path[:1] + path[2:] if path[:1] == ("message",) else path


def _left_out(path: Path, body: dict[str, Any]) -> Path:
    """What goes with an odd value: all of the message, or the user, where it says which one it is, or whose."""
    if len(path) < 2 or path[0] not in _PERSON or path[0] not in body:
        return path
    whole, name, person = body[path[0]], path[1], _PERSON[path[0]]
    alone = name in person and not any(type(whole.get(each)) is str for each in person if each != name)
    return path[:1] if name in _IDENTIFYING or alone else path


_PERSON: Final[Mapping[int | str, Sequence[str]]] = {
    "message": ("from", "from_user_id"),
    "user": ("phone_number", "bsuid"),
}
"""Where the sender is named. One of the names is enough."""
_IDENTIFYING: Final = frozenset({"id", "timestamp", "type", "group_id"})
