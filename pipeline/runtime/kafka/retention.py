"""Compares retention with what waits: how close the oldest records are to their end, and how long they may wait."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from pipeline.logging import get_logger
from pipeline.metrics import RETENTION_USED

if TYPE_CHECKING:
    from faust.types import TP

log = get_logger(__name__)

SHARES: Final = (0.5, 0.75, 0.9)
"""Reported shares of the retention, in ascending order."""


class LaggingConsumer(Protocol):
    """The part of a consumer that knows its unfinished records."""

    @property
    def lagging(self) -> Sequence[TP]: ...
    def processed_position(self, tp: TP) -> int: ...
    async def offsets_at(self, times: Mapping[TP, int]) -> dict[TP, int | None]: ...


async def update_retention_metric(app: str, consumer: LaggingConsumer, retentions: Mapping[str, float]) -> None:
    """Set the metric of each source topic to the largest of `SHARES` that is used up. `retentions` is in seconds.

    For each share the broker is asked for the first offset that is younger. Raises the errors of aiokafka.
    """
    used = dict.fromkeys(retentions, 0.0)
    older = [tp for tp in consumer.lagging if tp.topic in retentions]
    for share in SHARES:
        older = await _older_than(consumer, {tp: share * retentions[tp.topic] for tp in older})
        used |= {tp.topic: share for tp in older}
    for topic, share in used.items():
        RETENTION_USED.labels(app, topic).set(share)


def warn_of_short_retentions(retentions: Mapping[str, float], required: Mapping[str, float]) -> None:
    """Warn of topics that remove records while they may still be worked on. Both mappings are in seconds, by topic.

    Topics that keep records for ever, or that we may not describe, are not in `retentions`.
    """
    for topic, seconds in required.items():
        if retentions.get(topic, seconds) < seconds:
            log.warning(
                "retention_too_short",
                detail="records are removed before their time to be worked on is over: raise retention.ms of the topic",
                topic=topic,
                now_ms=int(retentions[topic] * 1000),
                needed_ms=math.ceil(seconds * 1000),
            )


async def _older_than(consumer: LaggingConsumer, ages: Mapping[TP, float]) -> list[TP]:
    """Return the partitions whose first unfinished record is older than the given age in seconds."""
    if not ages:
        return []
    found = await consumer.offsets_at({tp: int((time.time() - age) * 1000) for tp, age in ages.items()})
    return [tp for tp in ages if (offset := found[tp]) is None or consumer.processed_position(tp) < offset]
