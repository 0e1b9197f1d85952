"""Checks that all families share. Each returns what it was given or raises `Unsendable`, without quoting it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from pipeline.errors import Unsendable

BODY: Final = 1024
"""Characters of the body of an interactive message; a list's may have `TEXT`."""
TEXT: Final = 4096
SHORT: Final = 60
"""Characters of a text header, and of a footer."""
URL: Final = 8192
"""Characters of a URL; no server takes longer ones."""
BUTTON: Final = 20
"""Characters of a button's title."""

_NOT_IN_URL: Final = re.compile(r"[^\S ]|[\x00-\x1f\x7f]")

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


def is_url(value: str) -> bool:
    """Whether it is meant as a URL of the web. Schemes are not case-sensitive (RFC 3986, 3.1)."""
    return value[:8].lower().startswith(("http://", "https://"))


def url(value: object) -> str:
    """A URL of the web with a host. The scheme may be in capitals."""
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
    """A dict without the fields that are None."""
    if not isinstance(value, Mapping):
        raise Unsendable(f"the {what} is a {type(value).__name__}: pass a dict")
    return {name: item for name, item in value.items() if item is not None}


def given(**fields: object) -> dict[str, Any]:
    """The fields that are there: a field of a command's body that is None is left out."""
    return {name: value for name, value in fields.items() if value is not None}
