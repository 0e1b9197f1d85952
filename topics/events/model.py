"""The base of every model in an event: frozen, with unknown fields kept."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema


class EventModel(BaseModel):
    """A part of an event. Unknown fields are kept in `model_extra` and survive a round trip."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


class Flag(int):
    """A truth value that reads as a property and can be called as a method: handlers in the wild do both."""

    def __call__(self) -> bool:
        """Return the truth value."""
        return bool(self)

    def __repr__(self) -> str:
        return repr(bool(self))


def _text(value: object) -> object:
    return str(value) if type(value) is int else value


_ANY_NUMBER: Final = WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]})
_ANY_INTEGER: Final = WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}]})

Seconds: TypeAlias = Annotated[int, _ANY_INTEGER]
"""Unix seconds. On the topic they are as the provider wrote them: a number, or a string of digits."""
Number: TypeAlias = Annotated[float, _ANY_NUMBER]
"""A number. On the topic it is as the provider wrote it: a number, or one in a string."""
Text: TypeAlias = Annotated[str, BeforeValidator(_text), _ANY_INTEGER]
"""An id or a name that some fields give as a number."""
