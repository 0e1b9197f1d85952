"""Checks that all families share. Each returns the valid value or raises `Unsendable`, without quoting the value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from pipeline.errors import Unsendable

BODY: Final = 1024
"""Maximum length of the body of an interactive message, in characters; a list's may have `TEXT`."""
TEXT: Final = 4096
SHORT: Final = 60
"""Maximum length of a text header and of a footer, in characters."""
URL: Final = 8192
"""Maximum length of a URL, in characters; no server accepts longer ones."""
BUTTON: Final = 20
"""Maximum length of a button's title, in characters."""

_NOT_IN_URL: Final = re.compile(r"[^\S ]|[\x00-\x1f\x7f]")

Model = TypeVar("Model", bound=BaseModel)


def text(what: str, value: object, most: int, code: str = "VALIDATION", *, missing: str = "VALIDATION") -> str:
    """Return a string of 1 to `most` characters. `code` is the error of a longer one, `missing` of none."""
    if not isinstance(value, str):
        raise Unsendable(f"the {what} is a {type(value).__name__}: pass a string", missing)
    if not 1 <= len(value) <= most:
        error = f"the {what} has {len(value)} characters: WhatsApp takes 1 to {most}"
        raise Unsendable(error, code if value else missing)
    return value


def optional(what: str, value: object, most: int, code: str = "VALIDATION") -> str | None:
    """Return the string, if there is one: None for None and for an empty string, which Wappa leaves out too."""
    return None if value is None or value == "" else text(what, value, most, code)


def body_text(value: object, most: int = BODY) -> str:
    """Return the text of a body."""
    return text("body", value, most, "BODY_TOO_LONG", missing="INVALID_BODY")


def is_url(value: str) -> bool:
    """Return True for a web URL. Schemes are not case-sensitive (RFC 3986, 3.1)."""
    return value[:8].lower().startswith(("http://", "https://"))


def url(value: object) -> str:
    """Return a web URL that has a host. The scheme may be in capitals."""
    code = "INVALID_URL_FORMAT"
    if not isinstance(value, str) or not is_url(value):
        raise Unsendable("the URL does not begin with http:// or https://", code)
    if len(value) > URL or _NOT_IN_URL.search(value):
        raise Unsendable(f"the URL holds a line break or control character, or has more than {URL:,} characters", code)
    try:
        host, _ = urlsplit(value).hostname, urlsplit(value).port
    except ValueError:
        host = None
    if not host:
        raise Unsendable("the URL has no host", code)
    return value


def items(what: str, value: object, least: int, most: int, code: str = "VALIDATION") -> Sequence[Any]:
    """Return a list or tuple of `least` to `most` items."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise Unsendable(f"the {what} are a {type(value).__name__}: pass a list")
    if not least <= len(value) <= most:
        raise Unsendable(f"there are {len(value)} {what}: WhatsApp takes {least} to {most}", code)
    return value


def unique(what: str, values: Iterable[str], code: str = "VALIDATION") -> None:
    """Raise `Unsendable` if two of the values are equal."""
    seen = list(values)
    if len(set(seen)) != len(seen):
        raise Unsendable(f"two {what} are the same: make each different", code)


def model(kind: type[Model], value: object, code: str = "VALIDATION", *, name: str | None = None) -> Model:
    """Return `value` as a model: it may be one already, or a dict, or an object with the same attributes.

    The error message calls the model `name`, by default its class name.
    """
    try:
        return kind.model_validate(value, from_attributes=not isinstance(value, Mapping))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        called = (name or kind.__name__) + (f".{where}" if where else "")
        raise Unsendable(f"{called}: {first['msg'].lower()}", code) from None


def mapping(what: str, value: object) -> dict[str, Any]:
    """Return a dict without the fields that are None."""
    if not isinstance(value, Mapping):
        raise Unsendable(f"the {what} is a {type(value).__name__}: pass a dict")
    return {name: item for name, item in value.items() if item is not None}


def given(**fields: object) -> dict[str, Any]:
    """Return the fields that are not None: others are left out of a command's body."""
    return {name: value for name, value in fields.items() if value is not None}
