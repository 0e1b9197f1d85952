"""How near the oldest unfinished records are to the end of their topic's retention."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from faust.types import TP

from pipeline.metrics import RETENTION_USED

SHARES: Final = (0.5, 0.75, 0.9)
"""The parts of a retention that are asked about, one behind the other, while a partition is behind them."""


class LaggingConsumer(Protocol):
    """The part of a consumer that tells how old its unfinished records are."""

    @property
    def behind(self) -> Sequence[TP]: ...
    def finished(self, tp: TP) -> int: ...
    async def offsets_at(self, times: Mapping[TP, int]) -> dict[TP, int | None]: ...


async def look_at_retention(app: str, consumer: LaggingConsumer, retentions: Mapping[str, float]) -> None:
    """Sets the metric of each source topic, whose retention is in seconds: the largest share that is used up.

    The broker is asked for the first offset that is younger. Raises what aiokafka raises.
    """
    used = dict.fromkeys(retentions, 0.0)
    left = [tp for tp in consumer.behind if tp.topic in retentions]
    for share in SHARES:
        left = await _older(consumer, {tp: share * retentions[tp.topic] for tp in left})
        used |= {tp.topic: share for tp in left}
    for topic, share in used.items():
        RETENTION_USED.labels(app, topic).set(share)


async def _older(consumer: LaggingConsumer, ages: Mapping[TP, float]) -> list[TP]:
    """The partitions whose first unfinished record is older than so many seconds."""
    if not ages:
        return []
    found = await consumer.offsets_at({tp: int((time.time() - age) * 1000) for tp, age in ages.items()})
    return [tp for tp in ages if (at := found[tp]) is None or consumer.finished(tp) < at]
