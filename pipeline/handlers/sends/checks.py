"""Checks that all families share. Each returns what it was given or raises `Unsendable`, without quoting it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from pipeline.errors import Unsendable

BODY: Final = 1024
"""Characters of the body of an interactive message; a list's may have `TEXT`."""
TEXT: Final = 4096
SHORT: Final = 60
"""Characters of a text header, and of a footer."""
BUTTON: Final = 20
"""Characters of a button's title."""

Model = TypeVar("Model", bound=BaseModel)


def text(what: str, value: object, most: int, code: str = "VALIDATION", *, missing: str = "VALIDATION") -> str:
    """A string of 1 to `most` characters. `code` says that it is too long, `missing` that there is none."""
    if not isinstance(value, str):
        raise Unsendable(f"the {what} is a {type(value).__name__}: pass a string", missing)
    if not 1 <= len(value) <= most:
        fault = f"the {what} has {len(value)} characters: WhatsApp takes 1 to {most}"
        raise Unsendable(fault, code if value else missing)
    return value


def optional(what: str, value: object, most: int, code: str = "VALIDATION") -> str | None:
    """None for nothing and for an empty string, which Wappa leaves out too."""
    return None if value is None or value == "" else text(what, value, most, code)


def body_text(value: object, most: int = BODY) -> str:
    return text("body", value, most, "BODY_TOO_LONG", missing="INVALID_BODY")


def url(value: object) -> str:
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        raise Unsendable("the URL does not begin with http:// or https://", "INVALID_URL_FORMAT")
    return value


def items(what: str, value: object, least: int, most: int, code: str = "VALIDATION") -> Sequence[Any]:
    """A list or tuple of `least` to `most` items."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise Unsendable(f"the {what} are a {type(value).__name__}: pass a list")
    if not least <= len(value) <= most:
        raise Unsendable(f"there are {len(value)} {what}: WhatsApp takes {least} to {most}", code)
    return value


def unique(what: str, values: Iterable[str], code: str = "VALIDATION") -> None:
    seen = list(values)
    if len(set(seen)) != len(seen):
        raise Unsendable(f"two {what} are the same: make each different", code)


def model(kind: type[Model], value: object, code: str = "VALIDATION") -> Model:
    """`value` as a model, which it may be already, or a dict, or an object with the same attributes."""
    try:
        return kind.model_validate(value, from_attributes=not isinstance(value, Mapping))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Unsendable(f"{kind.__name__}{'.' + where if where else ''}: {first['msg'].lower()}", code) from None


def mapping(what: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise Unsendable(f"the {what} is a {type(value).__name__}: pass a dict")
    return dict(value)


def given(**fields: object) -> dict[str, Any]:
    """The fields that are there: a field of a command's body that is None is left out."""
    return {name: value for name, value in fields.items() if value is not None}
