"""Dead letters: a record that could not be processed, byte for byte, with why and where."""

from __future__ import annotations

import time

from pipeline.metrics import DEAD_LETTERS
from topics import dead_letters, headers
from topics.records import Header, Incoming, Record

PREFIX = dead_letters.PREFIX
_LONGEST_MESSAGE = 500


def dead_letter(record: Incoming, stage: str, error: Exception, attempts: int) -> Record:
    """The dead letter of `record`: its key, value and headers, and the reason, origin and time beside them."""
    DEAD_LETTERS.labels(stage, type(error).__name__).inc()
    return Record(
        PREFIX + stage,
        record.key or b"",
        record.value or b"",
        [*record.headers, *_reason(record, stage, error, attempts)],
    )


def _reason(record: Incoming, stage: str, error: Exception, attempts: int) -> list[Header]:
    named = {
        headers.ERROR_TYPE: type(error).__name__,
        headers.ERROR_MESSAGE: _describe(error),
        headers.STAGE: stage,
        headers.ATTEMPTS: attempts,
        headers.ORIGIN_TOPIC: record.topic,
        headers.ORIGIN_PARTITION: record.partition,
        headers.ORIGIN_OFFSET: record.offset,
        headers.FAILED_AT: int(time.time() * 1000),
    }
    return [(name, str(named[name]).encode()) for name in headers.REASON]


def _describe(error: Exception) -> str:
    return " ".join(str(error).split())[:_LONGEST_MESSAGE]
