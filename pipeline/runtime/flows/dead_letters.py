"""Dead letters: a record that could not be processed, byte for byte, with why and where."""

from __future__ import annotations

import time

from pipeline.errors import OversizeRecord, error_type
from pipeline.logging import get_logger
from pipeline.metrics import DEAD_LETTERS
from pipeline.topics import dead_letters, headers
from pipeline.topics.records import Header, Incoming, Record

log = get_logger(__name__)

PREFIX = dead_letters.PREFIX
_LONGEST_MESSAGE = 500


def dead_letter(record: Incoming, stage: str, error: Exception, attempts: int) -> Record:
    """The dead letter of `record`: its key, value and headers, and the reason, origin and time beside them."""
    DEAD_LETTERS.labels(stage, error_type(error)).inc()
    return Record(
        PREFIX + stage,
        record.key or b"",
        record.value or b"",
        [*record.headers, *_reason(record, stage, error, attempts)],
    )


def is_dead_letter(record: Record) -> bool:
    return record.topic.startswith(PREFIX)


def rejected_by_broker(record: Record) -> OversizeRecord:
    """Why a record becomes a dead letter of which the broker refused the output `record`."""
    return OversizeRecord(f"the broker takes no {len(record.value)} bytes for {record.topic}")


class BlockedDeadLetters:
    """Whether a flow has dead letters in hand that their own topic refuses. They are kept and tried again.

    Attributes:
        cause: names the topic; None while there are none.
    """

    def __init__(self) -> None:
        self.cause: str | None = None
        self._held: set[tuple[int, int]] = set()

    def add(self, letter: Record, source: Incoming) -> None:
        """The letter of `source` was refused."""
        if self.cause is None:
            log.error(
                "a dead letter is too large for its topic: raise its max.message.bytes, it goes on by itself",
                topic=letter.topic,
                bytes=len(letter.value),
            )
        self.cause = f"OversizeRecord: {letter.topic}"
        self._held.add((source.partition, source.offset))

    def remove(self, source: Incoming) -> None:
        """The letter of `source` is on its topic, or will be made again by whoever gets the record next."""
        self._held.discard((source.partition, source.offset))
        if not self._held:
            self.cause = None

    def clear(self) -> None:
        self._held.clear()
        self.cause = None


def _reason(record: Incoming, stage: str, error: Exception, attempts: int) -> list[Header]:
    named = {
        headers.ERROR_TYPE: error_type(error),
        headers.ERROR_MESSAGE: _describe(error),
        headers.STAGE: stage,
        headers.ATTEMPTS: attempts,
        headers.ORIGIN_TOPIC: record.topic,
        headers.ORIGIN_PARTITION: record.partition,
        headers.ORIGIN_OFFSET: record.offset,
        headers.FAILED_AT: int(time.time() * 1000),
    }
    return [(name, str(named[name]).encode(errors="backslashreplace")) for name in headers.REASON]


def _describe(error: Exception) -> str:
    return " ".join(str(error).split())[:_LONGEST_MESSAGE]
