"""How near unfinished records are to being removed: what the metric says of a backlog."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pytest
from faust.types import TP

from pipeline.metrics import RETENTION_USED
from pipeline.runtime.kafka.retention import update_retention_metric, warn_of_short_retentions

WEEK = 7 * 86400.0


class Partition:
    """Stands for a consumer whose only partition has one record an hour, the last one made now.

    Args:
        behind: hours since the first unfinished record was made.
    """

    def __init__(self, behind: float) -> None:
        self.tp = TP("in", 0)
        self.lagging = [self.tp]
        self._hours = 400
        self._finished = int(self._hours - behind)
        self.asked = 0

    def processed_position(self, _: TP) -> int:
        return self._finished

    async def offsets_at(self, times: Mapping[TP, int]) -> dict[TP, int | None]:
        self.asked += 1
        ago = {tp: (time.time() * 1000 - at) / 3_600_000 for tp, at in times.items()}
        return {tp: int(self._hours - hours) + 1 for tp, hours in ago.items()}


@pytest.mark.parametrize(
    ("days", "share", "asked"), [(0, 0.0, 1), (3, 0.0, 1), (4, 0.5, 2), (6, 0.75, 3), (6.5, 0.9, 3), (20, 0.9, 3)]
)
def test_the_share_is_that_of_the_oldest_unfinished_record(days: float, share: float, asked: int) -> None:
    """Nobody would hear of a backlog before retention takes its first record."""
    consumer: Any = Partition(days * 24)
    asyncio.run(update_retention_metric("a-test", consumer, {"in": WEEK}))
    assert RETENTION_USED.labels("a-test", "in")._value.get() == share
    assert consumer.asked == asked, "what is young costs one question"


def test_a_partition_without_anything_to_do_asks_nothing() -> None:
    """An idle worker would ask the broker for ever, or an alarm stay on when the backlog is gone."""
    consumer: Any = Partition(6 * 24)
    asyncio.run(update_retention_metric("a-test", consumer, {"in": WEEK}))
    consumer.lagging, consumer.asked = [], 0
    asyncio.run(update_retention_metric("a-test", consumer, {"in": WEEK}))
    assert (RETENTION_USED.labels("a-test", "in")._value.get(), consumer.asked) == (0.0, 0)


def test_a_topic_that_forgets_too_early_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """Records would be removed while they wait for their turn, and nobody had been told beforehand."""
    required = {"long": 10.0, "short": 10.0004, "for ever": 10.0}
    warn_of_short_retentions({"long": 10.0, "short": 10.0, "other": 1.0}, required)
    (line,) = caplog.records
    assert line.levelname == "WARNING"
    said = str(line.msg)
    assert all(each in said for each in ("retention_too_short", "'topic': 'short'", "10000", "10001"))
