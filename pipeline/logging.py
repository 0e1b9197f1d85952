"""Logs: one line an event, through structlog, for this project's loggers and every library's alike.

JSON where a machine reads (files, containers), colours where a person does (a terminal). Three filters stand
before the output: secrets and message texts are replaced, a rebalance is not a warning, and a client that
can't reach its broker says so once in ten seconds instead of two hundred times a second.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TextIO, cast

import orjson
import structlog
from structlog.typing import EventDict, Processor

from pipeline.unicode import well_formed

Format = Literal["auto", "json", "console"]

REDACTED: Final = "[redacted]"
WINDOW: Final = 10.0
"""Seconds for which a repeated complaint of the Kafka client is held back."""

_SENSITIVE: Final = frozenset(
    {"apikey", "authorization", "body", "caption", "cookie", "mediakey", "password", "sessionid", "text"}
)
_SENSITIVE_ENDS: Final = ("secret", "secrets", "token", "tokens", "signature", "signature256", "hmac")
_IN_TEXT: Final = (
    (
        re.compile(r"((?:secret|token|api_?key|media_?key|password)[\"']?\s*[=:]\s*[\"']?)[^\s&\"',;)]+", re.I),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"(\bBearer )\S+", re.I), rf"\1{REDACTED}"),
    (re.compile(r"(://[^\s/:@]*:)[^\s/@]+@"), rf"\1{REDACTED}@"),
    # pydantic's messages quote what they were given, which is what a user wrote
    (re.compile(r"(input_value=).+?(, input_type=)", re.S), rf"\1{REDACTED}\2"),
)
_TALKATIVE: Final = ("aiokafka", "faust", "mode")
"""Libraries whose `info` is about themselves: a page for each rebalance. Our `debug` shows it, and never theirs: it
would print every record, with its message."""
_EXPECTED: Final = {
    "aiokafka.consumer.group_coordinator": "Heartbeat failed for group %s because it is rebalancing",
}


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger that takes key-value pairs: `logger.info("batch done", records=17)`.

    It goes through the standard library's logger of that name, so levels, handlers and captures work on it.
    """
    logger = structlog.wrap_logger(logging.getLogger(name), processors=_OWN, wrapper_class=structlog.stdlib.BoundLogger)
    return cast(structlog.stdlib.BoundLogger, logger)


def configure(format: Format = "auto", level: str = "info", stream: TextIO | None = None) -> None:  # noqa: A002
    """Sends every log line of this process to `stream` (default: standard error). May be called again.

    Args:
        format: `json`, `console`, or `auto`: console on a terminal, JSON elsewhere.
        level: `debug`, `info`, `warning` or `error`.
    """
    out = stream or sys.stderr
    handler = _Handler(out)
    handler.setFormatter(_formatter(_resolve(format, out), out))
    handler.addFilter(demote_expected)
    handler.addFilter(RateLimit("aiokafka"))
    root = logging.getLogger()
    root.handlers = [*(old for old in root.handlers if not isinstance(old, _Handler)), handler]
    root.setLevel(level.upper())
    for library in _TALKATIVE:
        logging.getLogger(library).setLevel(logging.INFO if level == "debug" else logging.WARNING)
    logging.captureWarnings(True)
    structlog.configure(
        processors=_OWN,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, so that a second `configure` replaces it and leaves a test's or a user's own handlers alone."""


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: hides secrets and message texts, by their keys and in running text."""
    for key in event:
        event[key] = _hidden(key, event[key])
    return event


def _hidden(key: str, value: object) -> object:
    if key in {"event", "exception", "stack"}:
        return _scrub(value) if isinstance(value, str) else value
    return REDACTED if _is_sensitive(key) else _inside(value)


def _is_sensitive(key: str) -> bool:
    plain = key.lower().replace("_", "").replace("-", "")
    return plain in _SENSITIVE or plain.endswith(_SENSITIVE_ENDS)


def _inside(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _hidden(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_inside(item) for item in value]
    return _scrub(str(value)) if isinstance(value, str | BaseException) else value


def _scrub(text: str) -> str:
    text = well_formed(text)
    for pattern, replacement in _IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def demote_expected(record: logging.LogRecord) -> bool:
    """A logging filter: what is said at every join or leave of a group is not a warning."""
    if record.name not in _EXPECTED or record.msg != _EXPECTED[record.name]:
        return True
    record.levelno, record.levelname = logging.DEBUG, "DEBUG"
    return logging.getLogger().isEnabledFor(logging.DEBUG)


class RateLimit(logging.Filter):
    """A logging filter: one warning or error for each logger and message template in `window` seconds.

    The next one that passes says how many were held back. Lines below WARNING pass.
    """

    def __init__(
        self,
        name: str,
        window: float = WINDOW,
        clock: Callable[[], float] = time.monotonic,
        capacity: int = 256,
    ) -> None:
        super().__init__(name)
        self._window, self._clock, self._capacity = window, clock, capacity
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or not super().filter(record):
            return True
        key, now = (record.name, str(record.msg)), self._clock()
        since, held_back = self._seen.get(key, (-self._window, 0))
        if now - since < self._window:
            self._seen[key] = (since, held_back + 1)
            return False
        self._remember(key, now)
        if held_back:
            record.suppressed = held_back
        return True

    def _remember(self, key: tuple[str, str], now: float) -> None:
        self._seen.pop(key, None)
        self._seen[key] = (now, 0)
        # a library that formats its templates itself would grow this without end
        if len(self._seen) > self._capacity:
            del self._seen[next(iter(self._seen))]


_SHARED: Final[list[Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]
_OWN: Final[list[Processor]] = [
    structlog.stdlib.filter_by_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    *_SHARED,
    structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
]


def _resolve(format: Format, out: TextIO) -> Format:  # noqa: A002
    if format != "auto":
        return format
    return "console" if out.isatty() else "json"


def _formatter(format: Format, out: TextIO) -> logging.Formatter:  # noqa: A002
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_SHARED, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact,
            _json() if format == "json" else _console(out),
        ],
    )


def _console(out: TextIO) -> Processor:
    # the plain traceback shows no local variables, which may hold what `redact` can't see
    return structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _json() -> Processor:
    return structlog.processors.JSONRenderer(serializer=_dumps)


def _dumps(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
