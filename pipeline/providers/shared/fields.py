"""Read fields of JSON without trusting their types."""

from __future__ import annotations

from typing import Any, Final

_YES: Final = frozenset({"true", "1"})
_NO: Final = frozenset({"false", "0", ""})


def field(value: Any, name: str) -> Any:
    """Return the field of an object; None without the field or without an object."""
    return value.get(name) if type(value) is dict else None


def as_object(value: Any) -> dict[str, Any]:
    """Return the value if it is an object; else an empty object."""
    return value if type(value) is dict else {}


def identifier(value: Any) -> str | None:
    """Return an id as a string, because some builds use numbers; None for an empty id and for anything else."""
    if type(value) is str:
        return value or None
    return str(value) if type(value) is int else None


def flag(value: Any) -> bool | None:
    """Return a boolean in any notation: `true`, `"true"`, 1. None for anything else."""
    if value is True or value is False:
        return bool(value)
    text = str(value).strip().lower() if type(value) is int or type(value) is str else None
    return True if text in _YES else False if text in _NO else None


def may_be_from_me(from_me: Any) -> bool:
    """Return True unless the flag is clearly false: the account itself may have written the message.

    If an own message were taken for a user's, it would be answered, and the answer would be answered again.
    """
    return from_me is not None and flag(from_me) is not False
