"""Rename the fields of a message from a Go engine to the names of the protocol's JSON.

Whatsmeow, which WAHA's GOWS runs on, marshals its structs: `selectedRowID` for `selectedRowId`, `URL` for `url`,
`fileSHA256` for `fileSha256`. For a field with one of several types it inserts an object:
`{"Response": {"SelectedDisplayText": …}}` for `{"selectedDisplayText": …}`.

Source: whatsmeow, `waE2E`; the JSON of protobuf's `oneof` in Go.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from pipeline.topics.types import Json

MAX_DEPTH: Final = 24
"""Maximum depth of renaming: twice the depth that is read of a message with all wrappers."""

_INITIALISM: Final = re.compile(r"([A-Z])([A-Z]+)(?![a-z])")
_UNREAD: Final = frozenset({"quotedMessage"})
"""Fields that nobody reads: another message, as large as the one around it."""


def to_protocol_names(message: Json, depth: int = MAX_DEPTH) -> Json:
    """Return a copy of `message` with the protocol's names, down to `depth` levels."""
    made: Json = {}
    for name, value in message.items():
        if type(value) is dict and name[:1].isupper():
            made |= {_protocol_name(each): _convert(held, depth) for each, held in value.items()}
        else:
            made[_protocol_name(name)] = value if name in _UNREAD else _convert(value, depth)
    return made


def _convert(value: Any, depth: int) -> Any:
    if depth and type(value) is dict:
        return to_protocol_names(value, depth - 1)
    if depth and type(value) is list:
        return [_convert(each, depth - 1) for each in value]
    return value


@lru_cache(maxsize=1024)
def _protocol_name(name: str) -> str:
    """Cached because messages have the same few fields. A name longer than any of the protocol's is kept."""
    if len(name) > 64:
        return name
    lowered = _INITIALISM.sub(lambda found: found[1] + found[2].lower(), name)
    return lowered[:1].lower() + lowered[1:]
