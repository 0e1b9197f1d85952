"""Shortens large events: a part that is also in `raw` is replaced by a pointer into it.

    {"kind": "message", "raw": {…}, "message": null, …,
     "raw_pointers": {"/message": "/entry/0/changes/0/value/messages/0"}}

Both sides of an entry are JSON pointers (RFC 6901): into the event, and into `raw`. A webhook of three megabytes would
be an event of six otherwise, which no topic takes. Small events are written in full, so that any reader of JSON reads
nearly all of them; `pipeline.topics.events.decode` reads both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from pipeline.topics.types import Json

MAX_FULL_SIZE: Final = 1024 * 1024
"""Maximum size of an event that is written in full, in bytes."""
POINTERS: Final = "raw_pointers"
_MARK: Final = f'"{POINTERS}"'.encode()
_LEAST_BYTES: Final = 64 * 1024
"""Minimum size of a compacted event, in bytes: `raw` is the larger part of an event above the limit."""
_LEAST_TEXT: Final = 256
"""Minimum length of a text that is replaced by a pointer, in characters."""
_MOST: Final = 10_000
"""Maximum number of parts of `raw` that are considered, from the top down: the large ones are near the top."""


def compact(body: Json) -> Json:
    """Return a copy of an event's body in which every part that is the same object as a part of `raw` is replaced."""
    known = {id(piece): pointer for pointer, piece in _pieces(body.get("raw"))}
    pointers: dict[str, str] = {}
    short = {name: _replaced(item, f"/{name}", known, pointers) for name, item in body.items() if name != "raw"}
    return {**short, "raw": body.get("raw"), POINTERS: pointers}


def is_compacted(value: bytes) -> bool:
    """Return True if an event may have pointers.

    It only looks for the field's name, which a user may have written too.
    """
    return len(value) > _LEAST_BYTES and _MARK in value


def expand(body: Any) -> Any:
    """Return the body in full.

    Raises `KeyError`, `IndexError`, `TypeError` or `ValueError` for pointers that lead nowhere.
    """
    pointers = body.pop(POINTERS, None) if type(body) is dict else None
    for place, source in (pointers or {}).items():
        *way, last = _parts(place)
        holder = _at(body, way)
        holder[int(last) if type(holder) is list else last] = _at(body["raw"], _parts(source))
    return body


def _pieces(raw: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts that may be replaced: objects, arrays and long texts, the outer ones first."""
    waiting, count = deque([("", raw)]), 0
    while waiting and count < _MOST:
        pointer, node = waiting.popleft()
        for part, child in node.items() if type(node) is dict else enumerate(node) if type(node) is list else ():
            if _is_piece(child) and count < _MOST:
                count += 1
                found = f"{pointer}/{_escaped(part)}"
                waiting.append((found, child))
                yield found, child


def _is_piece(value: Any) -> bool:
    return bool(value) and (type(value) in (dict, list) or (type(value) is str and len(value) >= _LEAST_TEXT))


def _replaced(node: Any, place: str, known: dict[int, str], pointers: dict[str, str]) -> Any:
    if _is_piece(node) and id(node) in known:
        pointers[place] = known[id(node)]
        return None
    if type(node) is dict:
        return {name: _replaced(item, f"{place}/{_escaped(name)}", known, pointers) for name, item in node.items()}
    if type(node) is list:
        return [_replaced(item, f"{place}/{number}", known, pointers) for number, item in enumerate(node)]
    return node


def _escaped(part: object) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _at(node: Any, parts: list[str]) -> Any:
    for part in parts:
        node = node[int(part) if type(node) is list else part]
    return node
