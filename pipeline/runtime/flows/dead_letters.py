"""Dead letters: records that could not be processed, byte for byte, with the reason and the place."""

from __future__ import annotations

import time

from pipeline.errors import OversizeRecord, error_type
from pipeline.logging import get_logger
from pipeline.metrics import DEAD_LETTERS
from pipeline.runtime.flows.failures import describe_failure
from pipeline.topics import dead_letters, headers
from pipeline.topics.records import ConsumedRecord, Header, Record

log = get_logger(__name__)

PREFIX = dead_letters.PREFIX
_MAX_MESSAGE = 500
"""Characters of an error's text in a header."""


def dead_letter(record: ConsumedRecord, stage: str, error: Exception, attempts: int) -> Record:
    """Return the dead letter of `record`: its key, value and headers, plus headers of reason, origin and time."""
    DEAD_LETTERS.labels(stage, error_type(error)).inc()
    failure = describe_failure(record, error)
    log.warning(
        "record_dead_lettered",
        stage=stage,
        **failure,
        attempts=attempts,
        detail="the record is a dead letter now: pipeline dead-letters show",
    )
    return Record(
        PREFIX + stage,
        record.key or b"",
        record.value or b"",
        [*record.headers, (headers.RAISED_AT, _place(failure["raised_at"])), *_reason(record, stage, error, attempts)],
    )


def is_dead_letter(record: Record) -> bool:
    return record.topic.startswith(PREFIX)


def rejected_by_broker(record: Record) -> OversizeRecord:
    """Return the error of a source record whose output `record` was rejected by the broker."""
    return OversizeRecord(f"the broker takes no {len(record.value)} bytes for {record.topic}")


class BlockedDeadLetters:
    """The dead letters of a flow that their own topic rejects. They are kept and published again.

    Attributes:
        cause: names the topic; None while no dead letter is blocked.
    """

    def __init__(self) -> None:
        self.cause: str | None = None
        self._sources: set[tuple[int, int]] = set()

    def add(self, letter: Record, source: ConsumedRecord) -> None:
        """Note that the dead letter of `source` was rejected."""
        if self.cause is None:
            log.error(
                "dead_letter_rejected",
                topic=letter.topic,
                bytes=len(letter.value),
                detail="a dead letter is too large for its topic: raise max.message.bytes, then it is published",
            )
        self.cause = f"OversizeRecord: {letter.topic}"
        self._sources.add((source.partition, source.offset))

    def remove(self, source: ConsumedRecord) -> None:
        """Note that the dead letter of `source` is published, or that its record is delivered again."""
        self._sources.discard((source.partition, source.offset))
        if not self._sources:
            self.cause = None

    def count(self, partition: int) -> int:
        """Return how many dead letters of a partition's records are blocked."""
        return sum(source == partition for source, _ in self._sources)

    def clear(self) -> None:
        self._sources.clear()
        self.cause = None


def _reason(record: ConsumedRecord, stage: str, error: Exception, attempts: int) -> list[Header]:
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


def _place(raised_at: str) -> bytes:
    return raised_at[:_MAX_MESSAGE].encode(errors="backslashreplace")


def _describe(error: Exception) -> str:
    return " ".join(str(error).split())[:_MAX_MESSAGE]
