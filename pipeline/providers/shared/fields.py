"""Looking into JSON of which no type is sure."""

from __future__ import annotations

from typing import Any


def field(value: Any, name: str) -> Any:
    """The field of an object; None where there is no such field, or no object."""
    return value.get(name) if type(value) is dict else None


def as_object(value: Any) -> dict[str, Any]:
    """The object; an empty one for anything else."""
    return value if type(value) is dict else {}
