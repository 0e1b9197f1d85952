"""Rows of limits in the messenger's table: JSON of numbers. A newer version may add fields at the end."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import orjson

from pipeline.errors import NewerRecord

ReadRow = Callable[[str], bytes | None]
"""Reads a row of the messenger's table by its key; None: there is none."""


def decode_numbers(row: bytes, fewest: int) -> list[float]:
    """Return the numbers of a row, so many at least. Raises `NewerRecord` for another form."""
    match _decode(row):
        case [*numbers] if len(numbers) >= fewest and all(map(_is_number, numbers)):
            return numbers
    raise _newer()


def decode_counts(row: bytes) -> list[tuple[int, int]]:
    """Return the slots of a row and the count of each. Raises `NewerRecord` for another form."""
    match _decode(row):
        case [*pairs] if all(map(_is_count, pairs)):
            return [(int(slot), int(count)) for slot, count in pairs]
    raise _newer()


def decode_slot(row: bytes) -> int:
    """Return the slot of a row. Raises `NewerRecord` for another form."""
    slot = _decode(row)
    if _is_number(slot):
        return int(slot)
    raise _newer()


def _decode(row: bytes) -> Any:
    try:
        return orjson.loads(row)
    except orjson.JSONDecodeError as error:
        raise _newer() from error


def _is_count(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _newer() -> NewerRecord:
    return NewerRecord("a limit's row has a form that this worker does not know")
