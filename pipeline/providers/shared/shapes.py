"""Check the shape of an event's body: quickly by exact types, or completely by the event's model.

A body that `fits` is sure to validate as an event. One that does not fit may still validate: then `validates` asks the
model, which costs far more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from pydantic import ValidationError

from pipeline.metrics import IGNORED_FIELDS
from pipeline.topics.events import validate
from pipeline.topics.events.lenient import Path, fit

Shape: TypeAlias = dict[str, Any]
"""The exact type of each field, or the shape of the object in it. Fields without an entry may contain anything."""

REQUIRED: Final = ""
"""The key of a shape whose value names the required fields."""


class Unusual:
    """A type without values. A field of this type never fits, so that the model decides about its object."""


def fits(value: dict[str, Any], shape: Shape) -> bool:
    """Return True if every field of the shape has exactly its type and all required fields are present."""
    for name in shape.get(REQUIRED, ()):
        if name not in value:
            return False
    for name, item in value.items():
        expected = shape.get(name)
        if expected is None or type(item) is expected:
            continue
        if type(expected) is not dict or type(item) is not dict or not fits(item, expected):
            return False
    return True


def validates(body: dict[str, Any]) -> bool:
    """Return True if the event's model accepts `body`, without the values that do not fit.

    A value of a wrong type is removed from `body` and its path is added to `ignored_fields`; `raw` keeps it. So one odd
    value does not make the rest unreadable.
    """
    try:
        validate(body)
    except ValidationError:
        return _validates_without_odd_values(body)
    return True


def _validates_without_odd_values(body: dict[str, Any]) -> bool:
    fitted = fit(body, validate, locate=_without_tags, target=_removal_path)
    if fitted is None:
        return False
    body.clear()
    body |= fitted.data
    if fitted.ignored:
        body["ignored_fields"] = fitted.ignored
        IGNORED_FIELDS.labels(body["provider"], body["kind"]).inc(len(fitted.ignored))
    return True


def _without_tags(loc: Path) -> Path:
    """Remove the names of union members that pydantic adds to a path: the event's kind and the message's type."""
    path = loc[1:]
    return path[:1] + path[2:] if path[:1] == ("message",) else path


def _removal_path(path: Path, body: dict[str, Any]) -> Path:
    """Return the path to remove for an odd value: the whole message or user if the value identifies it."""
    if len(path) < 2 or path[0] not in _PERSON or path[0] not in body:
        return path
    whole, name, person = body[path[0]], path[1], _PERSON[path[0]]
    alone = name in person and not any(type(whole.get(each)) is str for each in person if each != name)
    return path[:1] if name in _IDENTIFYING or alone else path


_PERSON: Final[Mapping[int | str, Sequence[str]]] = {
    "message": ("from", "from_user_id"),
    "user": ("phone_number", "bsuid"),
}
"""The fields that name the sender. One of them is enough."""
_IDENTIFYING: Final = frozenset({"id", "timestamp", "type", "group_id"})
"""Fields without which a message is not the same message."""
