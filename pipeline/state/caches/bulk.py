"""Operations on many rows at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from pipeline.state.base import Model, Row
from pipeline.state.cache import as_model
from pipeline.state.encoding import decode_row
from pipeline.state.rows import Rows


async def remove_all(rows: Rows, names: Iterable[str]) -> int:
    """Remove the rows with these full names and return how many of them existed."""
    return sum(await asyncio.gather(*(rows.remove(name) for name in names)))


async def find_first(
    rows: Rows, names: Iterable[str], field: str, value: object, models: type[Model] | None
) -> Row | Model | None:
    """Return the first of these rows whose `field` equals `value` in value and type; None if there is none."""
    for fields in await asyncio.gather(*(rows.row(name) for name in names)):
        row = decode_row(fields or {})
        if field in row and row[field] == value and type(row[field]) is type(value):
            return as_model(row, models)
    return None
