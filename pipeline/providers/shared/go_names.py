"""Renames the fields of a message that a Go engine wrote to the names of the protocol's JSON.

Whatsmeow, which runs WAHA's GOWS, marshals its structs: `selectedRowID` stands for `selectedRowId`, `URL` for `url`,
`fileSHA256` for `fileSha256`. A field that holds one of several types is an object between the two:
`{"Response": {"SelectedDisplayText": …}}` stands for `{"selectedDisplayText": …}`.

Source: whatsmeow, `waE2E`; the JSON of protobuf's `oneof` in Go.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

Json = dict[str, Any]

MAX_DEPTH: Final = 24
"""Levels that are renamed. Twice what is read of a message in all its wrappers; below it the names stay."""

_INITIALISM: Final = re.compile(r"([A-Z])([A-Z]+)(?![a-z])")
_UNREAD: Final = frozenset({"quotedMessage"})
"""Fields that nothing here looks into: another message, as large as the one around it."""


def renamed(message: Json, depth: int = MAX_DEPTH) -> Json:
    """A copy of `message` with the protocol's names, down to `depth` levels."""
    made: Json = {}
    for name, value in message.items():
        if type(value) is dict and name[:1].isupper():
            made |= {_protocol_name(each): _renamed(held, depth) for each, held in value.items()}
        else:
            made[_protocol_name(name)] = value if name in _UNREAD else _renamed(value, depth)
    return made


def _renamed(value: Any, depth: int) -> Any:
    if depth and type(value) is dict:
        return renamed(value, depth - 1)
    if depth and type(value) is list:
        return [_renamed(each, depth - 1) for each in value]
    return value


@lru_cache(maxsize=1024)
def _protocol_name(name: str) -> str:
    """Kept, because messages have the same few fields. A longer name than any of the protocol's is left as it is."""
    if len(name) > 64:
        return name
    lowered = _INITIALISM.sub(lambda found: found[1] + found[2].lower(), name)
    return lowered[:1].lower() + lowered[1:]
