"""The base of all details, and the kinds of values that they share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BeforeValidator

from topics.events.model import Model


def _text(value: object) -> object:
    return str(value) if type(value) is int else value


Text: TypeAlias = Annotated[str, BeforeValidator(_text)]
"""An id or a name that some fields give as a number."""
Seconds: TypeAlias = int
"""Unix seconds; strings of digits are taken too."""


class Detail(Model):
    """What an account event says. What its model does not name is in `model_extra`."""
