"""What is on a `dead-letters.<stage>` topic: letters, and marks that say what was decided about them.

A mark is a record of its own: its key is the letter's id, its headers say the decision, by whom and when. It lies on
the letter's own partition, so always behind the letter, and Kafka's retention can't take it away first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from pipeline.topics import headers
from pipeline.topics.records import Header, Incoming, Record, has_header, header

PREFIX: Final = "dead-letters."
GAP: Final = "LogGap"
"""The error type of a letter that stands for records that were removed before they were processed."""
REASON_BYTES: Final = 16 * 1024
"""More than a reason takes. By so much a letter may be larger than its record, and its topic takes more."""


class State(StrEnum):
    """How a letter stands."""

    OPEN = "open"
    REDRIVEN = "redriven"
    """It was published to its origin topic again."""
    DROPPED = "dropped"
    """Somebody decided that it is worth nothing. Its bytes stay until the topic's retention takes them."""


class LetterId(NamedTuple):
    """Where a letter lies, written `<stage>/<partition>/<offset>`."""

    stage: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.stage}/{self.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str) -> LetterId:
        """Raises `ValueError` for what is no id."""
        stage, partition, offset = text.rsplit("/", 2)
        if not (stage and partition.isdecimal() and offset.isdecimal()):
            raise ValueError(f"{text!r} is no <stage>/<partition>/<offset>")
        return cls(stage, int(partition), int(offset))


class Origin(NamedTuple):
    """Where a record lies, written `<topic>/<partition>/<offset>`, as log lines name it."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Letter(NamedTuple):
    """A record that a stage could not process, and why.

    Attributes:
        headers: those that the record had, without the reason.
        failed_at: ms since the epoch.
    """

    id: LetterId
    key: bytes
    value: bytes
    headers: Sequence[Header]
    error_type: str
    error_message: str
    attempts: int
    origin_topic: str
    origin_partition: int
    origin_offset: int
    failed_at: int

    @property
    def tenant(self) -> str | None:
        """Whose it is, as far as was known when it failed."""
        return header(self.headers, headers.TENANT)

    @property
    def gap(self) -> tuple[int, int] | None:
        """The offsets that were removed before they were processed, the second excluded; None where there are bytes."""
        start, end = header(self.headers, headers.GAP_START), header(self.headers, headers.GAP_END)
        return (int(start), int(end)) if start and end and self.error_type == GAP else None

    @property
    def origin(self) -> Origin:
        """Where its record lies."""
        return Origin(self.origin_topic, self.origin_partition, self.origin_offset)

    @property
    def trace_id(self) -> str | None:
        """Of the webhook that it came of: 32 hex digits. Nothing personal is in it."""
        found = header(self.headers, headers.TRACEPARENT)
        return found.split("-")[1] if found and found.count("-") == 3 else None

    def original(self) -> Record:
        """The record as it was before it failed. It belongs on `origin_partition` of its topic."""
        return Record(self.origin_topic, self.key, self.value, self.headers)

    def redriven(self) -> Record:
        """The record as it is published again: as it was, and always to be handled."""
        kept = [pair for pair in self.headers if pair[0] not in (headers.STALE, headers.REDRIVEN)]
        return self.original()._replace(headers=[*kept, (headers.REDRIVEN, b"1")])


def is_redriven(record: Incoming) -> bool:
    """Whether a record was a dead letter, and was published again on purpose."""
    return has_header(record.headers, headers.REDRIVEN)


class Mark(NamedTuple):
    """What was decided about a letter. `at` is in ms since the epoch."""

    letter: LetterId
    state: State
    by: str
    at: int

    def record(self) -> Record:
        """The mark as it is written, to the letter's own partition."""
        named = {headers.DECISION: self.state.value, headers.DECIDED_BY: self.by, headers.DECIDED_AT: str(self.at)}
        made = [(name, text.encode()) for name, text in named.items()]
        return Record(PREFIX + self.letter.stage, str(self.letter).encode(), b"", made)


Entry: TypeAlias = Letter | Mark


def read(record: Incoming) -> Entry | None:
    """The letter or the mark that a record of a dead-letter topic is; None for what is neither."""
    try:
        return _letter(record) if _has_reason(record.headers) else _mark(record)
    except (ValueError, KeyError, AttributeError):  # a header of Kafka may have no value
        return None


def _has_reason(found: Sequence[Header]) -> bool:
    return tuple(name for name, _ in found[-len(headers.REASON) :]) == headers.REASON


def _letter(record: Incoming) -> Letter:
    original, reason = record.headers[: -len(headers.REASON)], _texts(record.headers[-len(headers.REASON) :])
    return Letter(
        LetterId(record.topic.removeprefix(PREFIX), record.partition, record.offset),
        record.key or b"",
        record.value or b"",
        list(original),
        reason[headers.ERROR_TYPE],
        reason[headers.ERROR_MESSAGE],
        int(reason[headers.ATTEMPTS]),
        reason[headers.ORIGIN_TOPIC],
        int(reason[headers.ORIGIN_PARTITION]),
        int(reason[headers.ORIGIN_OFFSET]),
        int(reason[headers.FAILED_AT]),
    )


def _mark(record: Incoming) -> Mark:
    named = _texts(record.headers)
    letter = LetterId.parse((record.key or b"").decode())
    return Mark(letter, State(named[headers.DECISION]), named[headers.DECIDED_BY], int(named[headers.DECIDED_AT]))


def _texts(found: Sequence[Header]) -> Mapping[str, str]:
    return {name: value.decode() for name, value in found}
