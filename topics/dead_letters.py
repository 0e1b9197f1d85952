"""The records of a `dead-letters.<stage>` topic: dead letters and their resolutions.

A resolution is a record of its own. Its key is the id of the dead letter; its headers contain the decision, who made it
and when. It is on the same partition as the dead letter and behind it, so Kafka's retention can't remove it first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from pipeline.topics import headers
from pipeline.topics.records import ConsumedRecord, Header, Record, has_header, header

PREFIX: Final = "dead-letters."
GAP: Final = "LogGap"
"""The error type of a dead letter for records that were removed before they were processed."""
_TIME: Final = re.compile(r"[0-9]{12,15}")
"""A time in ms since the epoch."""
REASON_BYTES: Final = 16 * 1024
"""Upper bound of the headers that give the reason, in bytes. The topic accepts records that much larger."""


_ABOUT_REDRIVING: Final = frozenset({headers.STALE, headers.REDRIVEN, headers.REDRIVEN_FOR})


class DeadLetterState(StrEnum):
    """The state of a dead letter."""

    OPEN = "open"
    REDRIVEN = "redriven"
    """It was published to its origin topic again."""
    DROPPED = "dropped"
    """It was judged to be worthless. Its bytes stay until the topic's retention removes them."""


class DeadLetterId(NamedTuple):
    """The position of a dead letter, written `<stage>/<partition>/<offset>`."""

    stage: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.stage}/{self.partition}/{self.offset}"

    @classmethod
    def parse(cls, text: str) -> DeadLetterId:
        """Parse an id. Raise `ValueError`."""
        stage, partition, offset = text.rsplit("/", 2)
        if not (stage and partition.isdecimal() and offset.isdecimal()):
            raise ValueError(f"{text!r} is no <stage>/<partition>/<offset>")
        return cls(stage, int(partition), int(offset))


class RecordPosition(NamedTuple):
    """The position of a record, written `<topic>/<partition>/<offset>` as in log lines."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class DeadLetter(NamedTuple):
    """A record that a stage could not process, with the reason.

    Attributes:
        headers: headers of the original record, without the reason.
        failed_at: ms since the epoch.
        raised_at: file, line and function of the error; empty if they are not known.
    """

    id: DeadLetterId
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
    raised_at: str = ""

    @property
    def tenant(self) -> str | None:
        """The tenant, as far as it was known when the record failed."""
        return header(self.headers, headers.TENANT)

    @property
    def gap(self) -> tuple[int, int] | None:
        """The first offset that was removed unprocessed, and the first one behind; None for other dead letters."""
        start, end = header(self.headers, headers.GAP_START), header(self.headers, headers.GAP_END)
        return (int(start), int(end)) if start and end and self.error_type == GAP else None

    @property
    def origin(self) -> RecordPosition:
        """The position of the record that failed."""
        return RecordPosition(self.origin_topic, self.origin_partition, self.origin_offset)

    @property
    def trace_id(self) -> str | None:
        """The trace id of the webhook: 32 hex digits without personal data."""
        found = header(self.headers, headers.TRACEPARENT)
        return found.split("-")[1] if found and found.count("-") == 3 else None

    def original(self) -> Record:
        """Return the record as it was before it failed. It belongs on `origin_partition` of its topic."""
        return Record(self.origin_topic, self.key, self.value, self.headers)

    def redriven(self, at: int) -> Record:
        """Return the record to publish again: the original one, marked to be handled whatever its age.

        `at` is now, in ms since the epoch.
        """
        kept = [pair for pair in self.headers if pair[0] not in _ABOUT_REDRIVING]
        marks = [(headers.REDRIVEN, b"%d" % at), (headers.REDRIVEN_FOR, self.id.stage.encode())]
        return self.original()._replace(headers=[*kept, *marks])


def is_redriven(record: ConsumedRecord) -> bool:
    """Return True if the record was redriven."""
    return has_header(record.headers, headers.REDRIVEN)


def is_redriven_for_another(record: ConsumedRecord, stage: str) -> bool:
    """Return True if the record was redriven for another stage that reads the same topic, so that `stage` skips it.

    An older version did not say for which stage.
    """
    meant = header(record.headers, headers.REDRIVEN_FOR)
    return meant is not None and meant != stage


def redriven_at(record: ConsumedRecord) -> int:
    """Return when the record was redriven, in ms since the epoch; 0 if it was not.

    An older version wrote `1` instead of the time. The redriven record's own time is the same or later.
    """
    text = header(record.headers, headers.REDRIVEN)
    if text is None:
        return 0
    return min(int(text), record.timestamp) if _TIME.fullmatch(text) else record.timestamp


class Resolution(NamedTuple):
    """A decision about a dead letter.

    Attributes:
        by: the person who decided, as `user@host`.
        at: ms since the epoch.
    """

    letter: DeadLetterId
    state: DeadLetterState
    by: str
    at: int

    def record(self) -> Record:
        """Return the resolution as a record, to publish on the partition of the dead letter."""
        named = {headers.DECISION: self.state.value, headers.DECIDED_BY: self.by, headers.DECIDED_AT: str(self.at)}
        made = [(name, text.encode()) for name, text in named.items()]
        return Record(PREFIX + self.letter.stage, str(self.letter).encode(), b"", made)


DeadLetterEntry: TypeAlias = DeadLetter | Resolution


def parse_dead_letter(record: ConsumedRecord) -> DeadLetterEntry | None:
    """Return the dead letter or the resolution that a record is; None for any other record."""
    try:
        return _dead_letter(record) if _has_reason(record.headers) else _resolution(record)
    except (ValueError, KeyError, AttributeError):  # a header of Kafka may have no value
        return None


def _has_reason(found: Sequence[Header]) -> bool:
    return tuple(name for name, _ in found[-len(headers.REASON) :]) == headers.REASON


def _dead_letter(record: ConsumedRecord) -> DeadLetter:
    original, reason = list(record.headers[: -len(headers.REASON)]), _texts(record.headers[-len(headers.REASON) :])
    has_place = bool(original) and original[-1][0] == headers.RAISED_AT
    place = original.pop()[1] if has_place else b""
    return DeadLetter(
        DeadLetterId(record.topic.removeprefix(PREFIX), record.partition, record.offset),
        record.key or b"",
        record.value or b"",
        original,
        reason[headers.ERROR_TYPE],
        reason[headers.ERROR_MESSAGE],
        int(reason[headers.ATTEMPTS]),
        reason[headers.ORIGIN_TOPIC],
        int(reason[headers.ORIGIN_PARTITION]),
        int(reason[headers.ORIGIN_OFFSET]),
        int(reason[headers.FAILED_AT]),
        (place or b"").decode(errors="backslashreplace"),
    )


def _resolution(record: ConsumedRecord) -> Resolution:
    named = _texts(record.headers)
    letter = DeadLetterId.parse((record.key or b"").decode())
    return Resolution(
        letter, DeadLetterState(named[headers.DECISION]), named[headers.DECIDED_BY], int(named[headers.DECIDED_AT])
    )


def _texts(found: Sequence[Header]) -> Mapping[str, str]:
    return {name: value.decode() for name, value in found}
