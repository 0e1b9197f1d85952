"""The measurement of several apps at once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, cast

from aiokafka import TopicPartition

from pipeline.lag import report
from pipeline.lag.workers import WorkerAnswers
from pipeline.runtime.kafka.group_positions import LogBounds

EVENTS = [TopicPartition("events.default", number) for number in range(2)]


class Broker:
    """A reader whose broker refuses a request that names a partition twice, as Kafka does."""

    async def bounds(self, tps: Collection[TopicPartition]) -> dict[TopicPartition, LogBounds]:
        assert len(set(tps)) == len(tps), "InvalidRequestError"
        return {tp: LogBounds(0, 5) for tp in tps}


def test_a_topic_that_several_apps_read_is_measured_for_each() -> None:
    """With one agent beside the handlers the lag of both would be unknown."""
    committed = dict.fromkeys(EVENTS, 5)
    apps = [report._AppPositions(name, committed, EVENTS, []) for name in ("handlers-default", "agent-visits")]
    found = asyncio.run(report._measure_all(cast(Any, Broker()), apps, WorkerAnswers({}, {})))
    assert [(app.app, app.lag.records, app.problems) for app in found.apps] == [
        ("handlers-default", 0, {}),
        ("agent-visits", 0, {}),
    ]
