"""Format dead letters for the terminal.

Without `--reveal`, texts that people wrote are hidden, and ids that contain a phone number are masked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from pipeline.errors import class_of
from pipeline.logging import REDACTED
from pipeline.masking import masker
from pipeline.topics.dead_letters import DeadLetter, DeadLetterState, Resolution

COLUMNS: Final = ("ID", "FAILED AT", "TENANT", "ERROR", "TRIES", "ORIGIN", "STATE", "RAISED AT")
_WIDTHS: Final = (24, 20, 16, 20, 5, 32, 8)

_PLAIN: Final = frozenset(
    {
        "account", "account_id", "code", "command_id", "conversation_id", "created_at", "event", "event_id",
        "event_type", "expires_at", "field", "id", "instance", "kind", "message_id", "messaging_product", "object",
        "phone_number_id", "priority", "provider", "received_at", "reply_to", "session", "status", "tenant_id",
        "timestamp", "traceparent", "type", "version",
    }
)  # fmt: skip
"""Fields whose text is shown. A list of fields to hide would miss the next field that a provider adds."""

_TIME: Final = re.compile(r"(?:time|stamp|_at|At|_ms|expir\w*)$", re.I)
"""The end of the name of a field that holds a time. Any other long number could be a phone number."""
_LONG: Final = 10_000_000


def heading() -> str:
    """Return the line with the names of the columns."""
    return _line(COLUMNS)


def row(letter: DeadLetter, state: DeadLetterState) -> str:
    """Return one line about a dead letter."""
    origin = f"{letter.origin_topic}/{letter.origin_partition}/{letter.origin_offset}"
    what = (letter.tenant or "-", letter.error_type, str(letter.attempts))
    return _line((str(letter.id), moment(letter.failed_at), *what, origin, state, letter.raised_at or "-"))


def as_json(letter: DeadLetter, state: DeadLetterState, *, reveal: bool = False) -> str:
    """Return a dead letter as a JSON object on one line, for scripts."""
    return orjson.dumps(
        {
            "id": str(letter.id),
            "stage": letter.id.stage,
            "state": state.value,
            "failed_at": moment(letter.failed_at),
            "tenant": letter.tenant,
            "error_type": letter.error_type,
            "raised_at": letter.raised_at or None,
            "attempts": letter.attempts,
            "origin": {
                "topic": letter.origin_topic,
                "partition": letter.origin_partition,
                "offset": letter.origin_offset,
            },
            "trace_id": letter.trace_id,
            "key": _masked("key", _text(letter.key), reveal),
            "bytes": len(letter.value),
            **({"gap": dict(zip(("start", "end"), letter.gap, strict=True))} if letter.gap else {}),
        }
    ).decode()


def page(letter: DeadLetter, state: DeadLetterState, resolutions: Sequence[Resolution], *, reveal: bool) -> list[str]:
    """Return everything about one dead letter, as lines."""
    facts = {
        "id": str(letter.id),
        "state": state.value,
        "failed at": moment(letter.failed_at),
        "error": f"{letter.error_type}: {_message(letter, reveal)}",
        "raised at": _printable(letter.raised_at) or "-",
        "attempts": str(letter.attempts),
        "origin": f"{letter.origin_topic}, partition {letter.origin_partition}, offset {letter.origin_offset}",
        "trace": letter.trace_id or "-",
        "key": _printable(_masked("key", _text(letter.key), reveal)),
    }
    lines = [f"{name:<10}{text}" for name, text in facts.items()]
    lines += [f"{each.state.value:<10}{moment(each.at)} by {_printable(each.by)}" for each in resolutions]
    shown = [(name, _masked(name, _text(value), reveal)) for name, value in letter.headers]
    lines += ["", *(_printable(f"{name}: {value}") for name, value in shown)]
    if letter.gap:
        return [*lines, "", "It has no bytes: its records were removed from the log before they were processed."]
    return [*lines, "", *body(letter.value, reveal=reveal).split("\n")]


def body(value: bytes, *, reveal: bool) -> str:
    """Return the value of a dead letter as indented JSON, or escaped if it is not JSON."""
    try:
        content = orjson.loads(value)
    except orjson.JSONDecodeError:
        if reveal:
            return _escaped(value.decode(errors="backslashreplace"))
        return f"{len(value)} bytes that are not JSON: --reveal shows them"
    shown = content if reveal else hide(content)
    return _escaped(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())


def hide(node: Any, field: str = "") -> Any:
    """Return the same structure with every text hidden, except in fields that never contain text of people.

    Ids that contain a phone number are masked.
    """
    if isinstance(node, dict):
        return {masker().text(name): hide(item, name) for name, item in node.items()}
    if isinstance(node, list):
        return [hide(item, field) for item in node]
    if isinstance(node, str) and field not in _PLAIN:
        return REDACTED
    if isinstance(node, int) and abs(node) >= _LONG and not _TIME.search(field):
        return masker().id(str(node))
    return masker().field(field, node)


def moment(at_ms: int) -> str:
    """Return a time as `2026-01-31T10:00:00Z`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _message(letter: DeadLetter, reveal: bool) -> str:
    """Return the error message. Messages of other exceptions than ours are hidden: they may quote a person."""
    if not (class_of(letter.error_type) or reveal):
        return f"{REDACTED} (--reveal shows it)"
    return _printable(_masked("error", letter.error_message, reveal))


def _masked(field: str, value: str, reveal: bool) -> str:
    return value if reveal else str(masker().field(field, value))


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="backslashreplace")


def _printable(text: str) -> str:
    """Return one line without control characters, which could move a terminal's cursor."""
    return _escaped(text).replace("\n", "\\n")


def _escaped(text: str) -> str:
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)


def _line(cells: Sequence[str]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=False)]
    return "  ".join(_printable(cell) for cell in [*padded, cells[-1]])
