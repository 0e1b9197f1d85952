"""Encodes the values of a cache: JSON, one text per field, read back as exactly what was written.

A point in time, which JSON has no form for, is an object of one field: `{"$datetime": "2026-01-01T12:00:00+00:00"}` or
`{"$date": "2026-01-01"}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final

import orjson
from pydantic import BaseModel

from pipeline.unicode import well_formed

Fields = dict[str, bytes]
"""A stored row: field name → JSON."""

EMPTY: Final = ""
"""The field that keeps an empty row alive, since Redis has no empty hashes. Users can't use this name."""

FILLER: Final = b"1"

LIMIT: Final = 10**15
"""Counters stay below this in both directions, where a double (Lua's only number) is still exact."""

_NATIVE: Final = (str, int, bool, type(None))
_STRICT: Final = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


_TIMES: Final[Mapping[str, Callable[[str], date]]] = {
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
}


def encode(value: object) -> bytes:
    """Return `value` as JSON. Raises `TypeError` for a value that would come back changed: a tuple, NaN, a set, a
    nested model, …

    Half of a surrogate pair, which nothing can store, becomes U+FFFD.
    """
    try:
        data = orjson.dumps(value, _time, _STRICT)
    except TypeError as error:
        if (proper := well_formed(value)) != value:
            return encode(proper)
        raise TypeError(f"a cache can't store this value ({error}): {_ADVICE}") from None
    if type(value) not in _NATIVE and not _survives(data, value):
        raise TypeError(f"a cache would give this {type(value).__name__} back changed: {_ADVICE}")
    return data


_ADVICE: Final = "use str, int, float, bool, None, datetime, date, list and dict, or a pydantic model for the whole row"


def decode(data: bytes) -> Any:
    """Return the value of a JSON text."""
    value = orjson.loads(data)
    return _restored(value) if b'{"$date' in data else value


def _survives(data: bytes, value: object) -> bool:
    """Return True if the value comes back unchanged.

    A dict of the user's own that looks like a point in time does not.
    """
    try:
        return bool(decode(data) == value)
    except (TypeError, ValueError):
        return False


def _time(value: object) -> dict[str, str]:
    name = f"${type(value).__name__}"
    if name not in _TIMES or not isinstance(value, date):
        raise TypeError(f"Type is not JSON serializable: {type(value).__name__}")
    return {name: value.isoformat()}


def _restored(value: Any) -> Any:
    """Return `value` with its points in time."""
    if isinstance(value, list):
        return [_restored(item) for item in value]
    if not isinstance(value, dict):
        return value
    name = next(iter(value), "")
    return _TIMES[name](value[name]) if name in _TIMES else {key: _restored(item) for key, item in value.items()}


def encode_row(data: Mapping[str, object] | BaseModel) -> Fields:
    """Return a row of fields. Raises `TypeError` for anything else, `ValueError` for a field without a name."""
    if isinstance(data, BaseModel):
        data = data.model_dump(mode="json")
    if not isinstance(data, Mapping):
        raise TypeError(f"a row of a cache is a dict or a pydantic model, not {type(data).__name__}")
    return {field_name(name): encode(value) for name, value in data.items()} or {EMPTY: FILLER}


def decode_row(fields: Fields) -> dict[str, Any]:
    """Return the values of a row."""
    return {name: decode(value) for name, value in fields.items() if name != EMPTY}


def field_name(name: object) -> str:
    """Return the name. Raises `TypeError` or `ValueError` for one that no field can have."""
    if not isinstance(name, str):
        raise TypeError(f"a field's name is a string, not {type(name).__name__}")
    if not name:
        raise ValueError("a field's name can't be empty")
    return well_formed(name)


def integer(data: bytes | None) -> int | None:
    """Return the counter in a field: 0 for a missing field, None for anything else or too large."""
    if data is None:
        return 0
    digits = data.removeprefix(b"-")
    return int(data) if digits.isdigit() and len(digits) <= 15 else None


def is_list(data: bytes | None) -> bool:
    """Return True if the field is a list or missing, so that one can append to it."""
    return data is None or data.startswith(b"[")


def appended(data: bytes | None, items: bytes) -> bytes:
    """Return the JSON list `data` with `items` (JSON values, comma separated) at its end."""
    return b"[" + items + b"]" if data in (None, b"[]") else data[:-1] + b"," + items + b"]"
