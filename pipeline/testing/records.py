"""Records made by a test."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from pipeline.topics.records import Header, Record


@dataclass(frozen=True)
class TestRecord:
    """A record as it would come from Kafka (`pipeline.topics.records.ConsumedRecord`)."""

    __test__ = False  # its name reads like a test case to pytest

    value: bytes | None
    key: bytes | None = b"key"
    headers: tuple[Header, ...] = ()
    topic: str = "test"
    partition: int = 0
    offset: int = 0
    timestamp: int = field(default_factory=lambda: int(time.time() * 1000))

    @classmethod
    def of(cls, record: Record, offset: int = 0) -> TestRecord:
        """Return the record that a consumer would get of an output."""
        return cls(record.value, record.key, tuple(record.headers), record.topic, offset=offset)
