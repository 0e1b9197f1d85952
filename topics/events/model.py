"""The base of every model in an event: frozen, and nothing that a provider adds is refused or lost."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
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
        return bool(self)

    def __repr__(self) -> str:
        return repr(bool(self))
