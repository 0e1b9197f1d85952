"""Logs: one line per event, through structlog, for our loggers and those of all libraries.

The format is JSON in files and containers, and coloured text on a terminal. Four filters precede the output: secrets
and message texts are replaced, ids that contain a phone number are masked (`pipeline.masking`), a rebalance is not a
warning, and a client that can't reach its broker logs it once in ten seconds instead of 200 times a second. A line
that is logged while a record is processed contains its topic, partition, offset and trace id.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Collection, Mapping
from contextvars import ContextVar
from datetime import date
from datetime import time as clock_time
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any, Final, Literal, Protocol, TextIO, cast

import orjson
import structlog
from structlog.typing import EventDict, Processor

from pipeline import masking
from pipeline.masking import Masker
from pipeline.unicode import well_formed

Format = Literal["auto", "json", "console"]

REDACTED: Final = "[redacted]"
WINDOW: Final = 10.0
"""Seconds for which a repeated warning of the Kafka client is suppressed."""

_TEXTS: Final = frozenset({"body", "caption", "text"})
"""Fields that contain texts of people."""
_ENDINGS: Final = (
    r"(?:secrets?|tokens?|passwords?|passwd|credentials?|(?:api|access|private|media|auth|mask)[_-]?keys?"
    r"|signature(?:[_-]?\d+)?|hmac(?:[_-]?\d+)?|(?:proxy[_-]?)?authorization|cookies?|session[_-]?id)"
)
"""Endings of names (field, header, query) whose value is a secret. Every provider's authentication header has one."""
_SECRET_NAME: Final = re.compile(rf".*{_ENDINGS}", re.I | re.S)
_IN_TEXT: Final = (
    # the credentials behind a scheme, as in `Authorization: Basic …`, are hidden with it
    (
        re.compile(
            rf"({_ENDINGS}(?:(?:\\*[\"'])?\s*[=:]\s*|[\"']\s*,\s*)(?:b?\\*[\"'])?)"
            r"(?:(?:Bearer|Basic|Digest|Token)\s+)?[^\s&\"',;)}\]]+",
            re.I,
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"(\b(?:Bearer|Basic) )[\w.~+/=-]{4,}", re.I), rf"\1{REDACTED}"),
    (re.compile(r"(://[^\s/:@]*:)[^\s/@]+@"), rf"\1{REDACTED}@"),
    # pydantic's messages quote their input, which a user may have written
    (re.compile(r"(input_value=).+?(, input_type=)", re.S), rf"\1{REDACTED}\2"),
)
_HINTS: Final = (
    "secret", "token", "pass", "credential", "key", "signature", "hmac", "authorization", "cookie", "session", "bearer",
    "basic", "://", "input_value=",
)  # fmt: skip
"""A text that contains none of these, in lower case, can't match a pattern. Most texts contain none."""
_LINES: Final = frozenset({"event", "exception", "stack"})
"""Fields of a log line that contain our own text."""
_MAX_MESSAGE: Final = 500
"""Characters of an exception's message in a line."""
_NAME: Final = re.compile(r"[A-Za-z][\w-]{0,60}", re.ASCII)
FAILURES: Final = frozenset({"attempt_failed", "record_dead_lettered", "send_failed", "send_refusal_unread"})
"""Events about what an author or an operator has to mend. `pipeline up` shows them."""
_TALKATIVE: Final = ("aiokafka", "faust", "mode")
"""Libraries whose `info` fills a page per rebalance. Our level `debug` shows their `info`, but never their `debug`,
which prints every record with its message."""
_shows_messages = False
_EXPECTED: Final = {
    "aiokafka.consumer.group_coordinator": "Heartbeat failed for group %s because it is rebalancing",
}


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger that takes key-value pairs: `logger.info("batch done", records=17)`.

    It goes through the standard library's logger of that name, so levels, handlers and captures work on it.
    """
    logger = structlog.wrap_logger(logging.getLogger(name), processors=_OWN, wrapper_class=structlog.stdlib.BoundLogger)
    return cast(structlog.stdlib.BoundLogger, logger)


def configure(
    format: Format = "auto",  # noqa: A002
    level: str = "info",
    stream: TextIO | None = None,
    failures: Path | None = None,
) -> None:
    """Send every log line of this process to `stream` (default: standard error). May be called again.

    Args:
        format: `json`, `console`, or `auto`: console on a terminal, JSON elsewhere.
        level: `debug`, `info`, `warning` or `error`.
        failures: a file to which lines about failures (`FAILURES`) go too, as JSON. With it the messages of exceptions
            are in the lines: they may quote a user, so this is for the machine of a developer.
    """
    global _shows_messages  # noqa: PLW0603 (one per process, like the loggers)
    _shows_messages = failures is not None
    out = stream or sys.stderr
    handler = _Handler(out)
    handler.setFormatter(_formatter(_resolve(format, out), out))
    handler.addFilter(demote_expected)
    handler.addFilter(RateLimit("aiokafka"))
    handlers = [handler, *([_failure_handler(failures)] if failures else ())]
    root = logging.getLogger()
    root.handlers = [*(old for old in root.handlers if not isinstance(old, _Handler)), *handlers]
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
    """Our handler: a second `configure` replaces it, and keeps handlers of tests and users."""


def _failure_handler(path: Path) -> logging.Handler:
    handler = _Handler(path.open("a", encoding="utf-8"))
    handler.setFormatter(_formatter("json", handler.stream))
    handler.addFilter(lambda record: isinstance(record.msg, dict) and record.msg.get("event") in FAILURES)
    return handler


class RecordHolder(Protocol):
    """An object that processes a record."""

    @property
    def record(self) -> Any:
        """A `pipeline.topics.records.ConsumedRecord`."""


_IN_HAND: Final[ContextVar[RecordHolder | None]] = ContextVar("record_in_hand", default=None)


def bind_record(holder: RecordHolder | None) -> None:
    """Add the holder's record to the log lines of this task from now on; None for no record."""
    _IN_HAND.set(holder)


def shown_message(error: BaseException) -> dict[str, str]:
    """Return the message of an exception as the field of a log line, where logs may have it; elsewhere nothing.

    It may quote a user, so only `pipeline up` shows it.
    """
    return {"message": " ".join(str(error).split())[:_MAX_MESSAGE]} if _shows_messages else {}


def add_place(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Return a structlog processor: add the position and the trace id of the record that is processed."""
    if (holder := _IN_HAND.get()) is not None:
        record = holder.record
        event.setdefault("topic", record.topic)
        event.setdefault("partition", record.partition)
        event.setdefault("offset", record.offset)
        for name, value in record.headers:
            if name == "traceparent" and value:  # a stranger's header may have no value
                event.setdefault("trace_id", value.decode(errors="replace")[3:35])
    return event


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Return a structlog processor: hide secrets and message texts, and mask ids, by field names and in text."""
    masks = masking.masker()
    return {_clean(key, masks): _hidden(key, value, masks) for key, value in event.items()}


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Return True if a field, a header or a parameter of this name contains a secret."""
    return _SECRET_NAME.fullmatch(name) is not None


def _hidden(name: str, value: object, masks: Masker) -> object:
    if name in _LINES:
        return _clean(value, masks) if isinstance(value, str) else value
    if is_secret(name) or name.lower() in _TEXTS:
        return REDACTED
    if isinstance(value, str | int) or value is None:
        masked = masks.field(name, value)
        return _scrub(masked) if isinstance(masked, str) else masked
    if isinstance(value, list | tuple | set | frozenset):
        return _pair(value, masks) or [_hidden(name, item, masks) for item in value]
    return _inside(value, masks)


def _pair(value: Collection[object], masks: Masker) -> list[object] | None:
    """Return a name and its value, redacted, as in a list of headers."""
    if len(value) != 2 or not isinstance(value, list | tuple):
        return None
    name = value[0].decode(errors="replace") if isinstance(value[0], bytes) else value[0]
    return [name, _hidden(name, value[1], masks)] if isinstance(name, str) and _NAME.fullmatch(name) else None


def _inside(value: object, masks: Masker) -> object:
    """Return a value, redacted, whose field name is not known. Values that JSON can't express become cleaned text."""
    if isinstance(value, Mapping):
        return {_clean(str(key), masks): _hidden(str(key), item, masks) for key, item in value.items()}
    if isinstance(value, float | date | clock_time):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return _clean(bytes(value).decode(errors="backslashreplace"), masks)
    return _clean(str(value) if isinstance(value, BaseException | PurePath) else repr(value), masks)


def _clean(text: str, masks: Masker) -> str:
    return _scrub(masks.text(text))


def _scrub(text: str) -> str:
    text = well_formed(text)
    lower = text.lower()
    if not any(hint in lower for hint in _HINTS):
        return text
    for pattern, replacement in _IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def demote_expected(record: logging.LogRecord) -> bool:
    """Return a logging filter: lower the level of warnings that are normal in a rebalance."""
    if record.name not in _EXPECTED or record.msg != _EXPECTED[record.name]:
        return True
    record.levelno, record.levelname = logging.DEBUG, "DEBUG"
    return logging.getLogger().isEnabledFor(logging.DEBUG)


class RateLimit(logging.Filter):
    """A logging filter: one warning or error per logger and message template in `window` seconds.

    The next one that passes has the number of suppressed ones. Lines below WARNING pass.
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
        # without a bound, a library that formats its templates itself would grow this for ever
        if len(self._seen) > self._capacity:
            del self._seen[next(iter(self._seen))]


_SHARED: Final[list[Processor]] = [
    structlog.contextvars.merge_contextvars,
    add_place,
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
    # the plain traceback shows no local variables, whose content `redact` can't see
    return structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _json() -> Processor:
    return structlog.processors.JSONRenderer(serializer=_dumps)


def _dumps(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
