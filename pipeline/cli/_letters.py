"""Dead letters as a person reads them. What somebody wrote is hidden, and ids that hold a phone number are masked,
unless they are asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from pipeline import errors
from pipeline.logging import REDACTED
from pipeline.masking import masker
from pipeline.topics.dead_letters import Letter, Mark, State

COLUMNS: Final = ("ID", "FAILED AT", "TENANT", "ERROR", "TRIES", "ORIGIN", "STATE")
_WIDTHS: Final = (24, 20, 16, 20, 5, 32)

_PLAIN: Final = frozenset(
    {
        "account", "account_id", "code", "command_id", "conversation_id", "created_at", "event", "event_id",
        "event_type", "expires_at", "field", "id", "instance", "kind", "message_id", "messaging_product", "object",
        "phone_number_id", "priority", "provider", "received_at", "reply_to", "session", "status", "tenant_id",
        "timestamp", "traceparent", "type", "version",
    }
)  # fmt: skip
"""The fields whose text is shown. A list of what to hide would miss the next field that a provider invents."""

_TIME: Final = re.compile(r"(?:time|stamp|_at|At|_ms|expir\w*)$", re.I)
"""The end of a field's name that holds a time. Another long number could be a phone number."""
_LONG: Final = 10_000_000


def heading() -> str:
    return _line(COLUMNS)


def row(letter: Letter, state: State) -> str:
    """One line about a letter."""
    origin = f"{letter.origin_topic}/{letter.origin_partition}/{letter.origin_offset}"
    what = (letter.tenant or "-", letter.error_type, str(letter.attempts))
    return _line((str(letter.id), moment(letter.failed_at), *what, origin, state))


def as_json(letter: Letter, state: State, *, reveal: bool = False) -> str:
    """The same as a JSON object on one line, for scripts."""
    return orjson.dumps(
        {
            "id": str(letter.id),
            "stage": letter.id.stage,
            "state": state.value,
            "failed_at": moment(letter.failed_at),
            "tenant": letter.tenant,
            "error_type": letter.error_type,
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


def page(letter: Letter, state: State, marks: Sequence[Mark], *, reveal: bool) -> list[str]:
    """Everything about one letter, as lines."""
    facts = {
        "letter": str(letter.id),
        "state": state.value,
        "failed at": moment(letter.failed_at),
        "error": f"{letter.error_type}: {_message(letter, reveal)}",
        "attempts": str(letter.attempts),
        "origin": f"{letter.origin_topic}, partition {letter.origin_partition}, offset {letter.origin_offset}",
        "trace": letter.trace_id or "-",
        "key": _printable(_masked("key", _text(letter.key), reveal)),
    }
    lines = [f"{name:<10}{text}" for name, text in facts.items()]
    lines += [f"{mark.state.value:<10}{moment(mark.at)} by {_printable(mark.by)}" for mark in marks]
    shown = [(name, _masked(name, _text(value), reveal)) for name, value in letter.headers]
    lines += ["", *(_printable(f"{name}: {value}") for name, value in shown)]
    if letter.gap:
        return [*lines, "", "It has no bytes: the log had removed its records before they were processed."]
    return [*lines, "", *body(letter.value, reveal=reveal).split("\n")]


def body(value: bytes, *, reveal: bool) -> str:
    """The bytes of a letter: indented JSON, or escaped where they are none."""
    try:
        content = orjson.loads(value)
    except orjson.JSONDecodeError:
        if reveal:
            return _escaped(value.decode(errors="backslashreplace"))
        return f"{len(value)} bytes that are not JSON: --reveal shows them"
    shown = content if reveal else hide(content)
    return _escaped(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())


def hide(node: Any, field: str = "") -> Any:
    """The same structure, in which every text is hidden but those of fields that hold no words of anybody.

    Of what is left, ids that hold a phone number are masked.
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
    """`2026-01-31T10:00:00Z`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _message(letter: Letter, reveal: bool) -> str:
    """Our own errors quote nothing; what another exception says may quote what somebody wrote."""
    kind = getattr(errors, letter.error_type, None)
    ours = isinstance(kind, type) and issubclass(kind, errors.PipelineError)
    if not (ours or reveal):
        return f"{REDACTED} (--reveal shows it)"
    return _printable(_masked("error", letter.error_message, reveal))


def _masked(field: str, value: str, reveal: bool) -> str:
    return value if reveal else str(masker().field(field, value))


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="backslashreplace")


def _printable(text: str) -> str:
    """One line that can't move a terminal's cursor."""
    return _escaped(text).replace("\n", "\\n")


def _escaped(text: str) -> str:
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)


def _line(cells: Sequence[str]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=False)]
    return "  ".join(_printable(cell) for cell in [*padded, cells[-1]])
