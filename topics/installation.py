"""Facts that an installation has recorded about itself on a compacted topic; the last record of a key counts.

- `partitions`: the partition count of its keyed topics, and which topics those are. The partition of a key
  depends on the count, so producers and consumers require this one, whatever count a topic has at the moment.
- `started/<group>/<topic>`: that the group has read the topic. A group without committed offsets is new, or its
  offsets have expired: this record tells which.
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
    """The recorded facts of one installation.

    Attributes:
        partitions: partition count of every topic in `topics`; None before it is recorded.
        started: pairs of a group and a topic that it has read.
    """

    partitions: int | None = None
    topics: frozenset[str] = frozenset()
    started: set[tuple[str, str]] = field(default_factory=set)

    def apply(self, key: bytes | None, value: bytes | None) -> None:
        """Apply one record. Unknown keys belong to later versions."""
        if key == _PARTITIONS and value:
            content = orjson.loads(value)
            self.partitions, self.topics = int(content["count"]), frozenset(content["topics"])
        elif key and value and key.decode().startswith(_STARTED):
            _, group, topic = key.decode().split("/", 2)
            self.started.add((group, topic))

    def expected(self, topic: str) -> int | None:
        """Return the partition count that `topic` must have; None if none is recorded."""
        return self.partitions if topic in self.topics else None


def partitions_record(count: int, topics: Iterable[str]) -> Record:
    content = {"count": count, "topics": sorted(topics), "recorded_at": _now()}
    return Record(TOPIC, _PARTITIONS, orjson.dumps(content), [])


def started_record(group: str, topic: str) -> Record:
    """Return the record that a group has read a topic. Names of topics contain no slash, so the key can be split."""
    return Record(TOPIC, f"{_STARTED}{group}/{topic}".encode(), orjson.dumps({"recorded_at": _now()}), [])


def _now() -> int:
    return int(time.time() * 1000)
