"""Looking into JSON of which no type is sure."""

from __future__ import annotations

from typing import Any, Final

_YES: Final = frozenset({"true", "1"})
_NO: Final = frozenset({"false", "0", ""})


def field(value: Any, name: str) -> Any:
    """The field of an object; None where there is no such field, or no object."""
    return value.get(name) if type(value) is dict else None


def as_object(value: Any) -> dict[str, Any]:
    """The object; an empty one for anything else."""
    return value if type(value) is dict else {}


def identifier(value: Any) -> str | None:
    """An id, which some builds give as a number. None for an empty one, and for what is none."""
    if type(value) is str:
        return value or None
    return str(value) if type(value) is int else None


def flag(value: Any) -> bool | None:
    """A boolean, however it was written: `true`, `"true"`, 1. None for what is neither."""
    if value is True or value is False:
        return bool(value)
    told = str(value).strip().lower() if type(value) is int or type(value) is str else None
    return True if told in _YES else False if told in _NO else None


def may_be_ours(from_me: Any) -> bool:
    """Whether a message may be the account's own: all that is no clear no counts.

    An own message that is taken for a user's is answered, and the answer is answered again.
    """
    return from_me is not None and flag(from_me) is not False
