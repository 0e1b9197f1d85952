"""What an installation has recorded about itself: a small compacted topic, the last record of a key counts.

- `partitions`: the partition count of its keyed topics, and which topics those are. A key's place follows from the
  count, so whoever places or reads records requires this one, whatever a topic has at the moment.
- `started/<group>/<topic>`: that the group has read the topic. A group without committed offsets is a new one, or its
  offsets have expired: this tells which.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import orjson

from pipeline.topics.records import Record

TOPIC: Final = "installation"
_PARTITIONS: Final = b"partitions"
_STARTED: Final = "started/"


@dataclass(slots=True)
class Installation:
    """The records of one installation; without any it is as good as none.

    Attributes:
        partitions: of every topic in `topics`; None before it was recorded.
        started: group and topic of those that have been read.
    """

    partitions: int | None = None
    topics: frozenset[str] = frozenset()
    started: set[tuple[str, str]] = field(default_factory=set)

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Takes in one record. Unknown keys are for later versions."""
        if key == _PARTITIONS and value:
            content = orjson.loads(value)
            self.partitions, self.topics = int(content["count"]), frozenset(content["topics"])
        elif key and value and key.decode().startswith(_STARTED):
            _, group, topic = key.decode().split("/", 2)
            self.started.add((group, topic))

    def expected(self, topic: str) -> int | None:
        """The count that `topic` must have; None where nothing is recorded about it."""
        return self.partitions if topic in self.topics else None


def partitions_record(count: int, topics: Iterable[str]) -> Record:
    content = {"count": count, "topics": sorted(topics), "recorded_at": _now()}
    return Record(TOPIC, _PARTITIONS, orjson.dumps(content), [])


def started_record(group: str, topic: str) -> Record:
    """Groups have no slash in their names; topics can't."""
    return Record(TOPIC, f"{_STARTED}{group}/{topic}".encode(), orjson.dumps({"recorded_at": _now()}), [])


def _now() -> int:
    return int(time.time() * 1000)
