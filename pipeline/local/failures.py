"""The failures of the workers, as lines for the terminal of `pipeline up`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import orjson
from rich.markup import escape

from pipeline.line_limit import LineLimit

LINES: Final = 5
"""Lines about one failure in 10 seconds."""
BRIEF: Final = 1.0
"""Seconds. A failure whose next try comes sooner is shown only if it is the last."""

Failure = Mapping[str, Any]


class FailureLines:
    """Turns log lines about failures (`pipeline.logging.FAILURES`) into lines with markup.

    Args:
        limit: bounds the lines about one failure.
    """

    def __init__(self, limit: LineLimit | None = None) -> None:
        self._limit = limit or LineLimit(LINES)

    def of(self, name: str, lines: Iterable[str]) -> Iterator[str]:
        """Yield what the terminal shows of a worker's failures, which are JSON."""
        for failure in map(_parse, lines):
            text = _FORMS.get(str(failure.get("event")), _nothing)(failure)
            kind = (name, *(str(failure.get(field)) for field in ("event", "error", "raised_at", "code")))
            if text and (suppressed := self._limit.admit(kind)) is not None:
                more = f" [dim]({suppressed} more like it)[/]" if suppressed else ""
                colour, sign = text[0]
                yield f"[{colour}]{sign} {name:<10} {escape(text[1])}[/]{more}"


def _parse(line: str) -> Failure:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:  # the process was killed while it wrote
        return {}
    return found if isinstance(found, dict) else {}


_RED: Final = ("red", "✗")
_YELLOW: Final = ("yellow", "!")
Shown = tuple[tuple[str, str], str]
"""A colour and a sign, and a text."""
Form = Callable[[Failure], Shown | None]


def _nothing(_: Failure) -> None:
    return None


def _dead_letter(failure: Failure) -> Shown:
    place = f"{failure.get('topic')}/{failure.get('partition')}/{failure.get('offset')}"
    tries = "1 try" if failure.get("attempts") == 1 else f"{failure.get('attempts')} tries"
    return _RED, f"{_what(failure)}: a dead letter after {tries}: pipeline dead-letters show {place}"


def _attempt(failure: Failure) -> Shown | None:
    seconds = float(failure.get("next_try_seconds", 0))
    if failure.get("attempts") != 1 or seconds < BRIEF:
        return None
    return _YELLOW, f"{_what(failure)}: tried again in {seconds:.1f} s"


def _failed_send(failure: Failure) -> Shown:
    code = f" ({failure['code']})" if failure.get("code") else ""
    account = f"{failure.get('provider')} account {failure.get('account')}"
    return _RED, f"a send of {failure.get('tenant')} by {account} failed{code}: {failure.get('detail')}"


def _unread(failure: Failure) -> Shown:
    where = f" at {failure['raised_at']}" if failure.get("raised_at") else ""
    what = f"a send ({failure.get('kind')}) of {failure.get('tenant')}{where}"
    return _YELLOW, f"{what} was refused, and nobody looked at its result: {failure.get('reason')}"


_FORMS: Final[Mapping[str, Form]] = {
    "record_dead_lettered": _dead_letter,
    "attempt_failed": _attempt,
    "send_failed": _failed_send,
    "send_refusal_unread": _unread,
}


def _what(failure: Failure) -> str:
    """Return type, message, place and tenant."""
    message = f": {failure['message']}" if failure.get("message") else ""
    where = f" at {failure['raised_at']}" if failure.get("raised_at") else ""
    tenant = f" ({failure['tenant']})" if failure.get("tenant") else ""
    return f"{failure.get('error')}{message}{where}{tenant}"
