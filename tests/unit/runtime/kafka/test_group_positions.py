"""Reading positions while a part of the cluster is away. tests/integration/test_lag.py reads those of a real broker."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError, KafkaError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest

from pipeline.runtime.kafka.group_positions import (
    NO_ANSWER,
    NO_LEADER,
    FirstRecord,
    LogBounds,
    PositionReader,
    Problem,
)
from tests.support.waiting import HANG

OF_BROKER_1, OF_BROKER_2, LEADERLESS, MOVED = (TopicPartition("in", number) for number in range(4))
LEADERS = {OF_BROKER_1: 1, OF_BROKER_2: 2, LEADERLESS: -1, MOVED: 1}
NOT_LEADER = 6
"""Kafka's error code of a broker that is not the leader any more."""


class Cluster:
    """Stands for a client of two brokers: the first answers, the second one hangs.

    Attributes:
        coordinator_errors: raised by the next look-ups of a coordinator.
    """

    def __init__(self, *coordinator_errors: KafkaError) -> None:
        self.coordinator_errors = list(coordinator_errors)

    def leader_for_partition(self, tp: TopicPartition) -> int:
        return LEADERS[tp]

    async def coordinator_lookup(self, _kind: int, _group: str) -> int:
        if self.coordinator_errors:
            raise self.coordinator_errors.pop(0)
        return 1

    async def send(self, node: int, request: Any) -> Any:
        if node == 2:
            await asyncio.sleep(HANG)
        if isinstance(request, OffsetRequest):
            return self._offsets(request)
        if isinstance(request, FetchRequest):
            return SimpleNamespace(topics=[("in", [(0, NOT_LEADER, -1, b"")])])
        return SimpleNamespace(topics=[("in", [(0, 7, "", 0), (1, -1, "", 0)])], error_code=0)

    def _offsets(self, request: Any) -> Any:
        ((topic, partitions),) = request._topics
        answers = [(number, NOT_LEADER if number == MOVED.partition else 0, -1, 10 + at) for number, at in partitions]
        return SimpleNamespace(topics=[(topic, answers)])


def _reader(cluster: Any, timeout: float) -> PositionReader:
    return PositionReader(cluster, cluster, timeout)


def test_partitions_of_a_broker_that_hangs_cost_nobody_else_their_numbers() -> None:
    """The whole command would hang with one broker, on the night on which it is needed."""

    async def run() -> dict[TopicPartition, LogBounds | Problem]:
        return await _reader(Cluster(), 0.2).bounds(list(LEADERS))

    assert asyncio.run(run()) == {
        OF_BROKER_1: LogBounds(8, 9),
        OF_BROKER_2: NO_ANSWER,
        LEADERLESS: NO_LEADER,
        MOVED: "the broker answers NotLeaderForPartitionError",
    }


def test_a_coordinator_that_is_being_made_is_waited_for_and_one_that_refuses_is_not() -> None:
    """`pipeline doctor` would warn in every new installation, or wait in vain where it may not look."""

    async def run(*errors: KafkaError) -> Any:
        return await _reader(Cluster(*errors), HANG).committed("group")

    assert asyncio.run(run(GroupCoordinatorNotAvailableError())) == {OF_BROKER_1: 7}
    refused = asyncio.run(run(GroupAuthorizationFailedError()))
    assert refused == "the group's offsets can't be read (GroupAuthorizationFailedError)"
    away = [GroupCoordinatorNotAvailableError()] * 100

    async def briefly() -> Any:
        return await _reader(Cluster(*away), 0.2).committed("group")

    assert asyncio.run(briefly()) == "the group's offsets can't be read (GroupCoordinatorNotAvailableError)"


def test_an_age_that_cannot_be_read_leaves_the_number_of_records() -> None:
    """A leader that has just moved would blank the line of its partition."""

    async def run() -> list[FirstRecord]:
        reader = _reader(Cluster(), 0.2)
        return [await reader.first_record(tp, 5, 10) for tp in (OF_BROKER_1, OF_BROKER_2)]

    assert asyncio.run(run()) == [FirstRecord(5), FirstRecord(5)]
