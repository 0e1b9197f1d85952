"""A leader's patience with topics that it does not know of."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import InconsistentGroupProtocolError

from pipeline.errors import ConfigurationError
from pipeline.runtime.faust import assignor
from pipeline.runtime.faust.assignor import (
    PARKING_PROTOCOL,
    TopicAwareAssignor,
    UnknownTopics,
    retry_assignment,
    wait_for_protocol,
)
from pipeline.runtime.faust.consumer import Consumer


class Coordinator:
    """Stands for aiokafka's. Knows its topics after so many looks; `answers`: whether there is a broker to ask."""

    _retry_backoff_ms = 0

    def __init__(self, looks: int, *, answers: bool) -> None:
        self.looks = looks
        self._answers = answers
        self._client = self
        self._closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def _perform_assignment(self, response: str) -> str:
        if self.looks:
            raise UnknownTopics("webhooks.raw")
        return f"assignment for {response}"

    async def force_metadata_update(self) -> bool:
        self.looks -= 1
        return self._answers


async def _assigned(looks: int, *, answers: bool, closing: bool = False) -> tuple[Any, list[Exception]]:
    coordinator, told = Coordinator(looks, answers=answers), list[Exception]()
    if closing:
        coordinator._closing.set_result(None)
    try:
        return await retry_assignment(coordinator, told.append)("members"), told
    except ConfigurationError as error:
        return error, told


def test_partitions_are_handed_out_once_every_topic_is_known() -> None:
    """A group would be given nothing in the minute after its broker died."""
    assert asyncio.run(_assigned(3, answers=True)) == ("assignment for members", [])


def test_while_no_broker_answers_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour without Kafka would end every leader, again and again."""
    monkeypatch.setattr(assignor, "TOPIC_TIMEOUT", 0.0)
    assert asyncio.run(_assigned(2000, answers=False)) == ("assignment for members", [])


def test_a_topic_that_is_gone_ends_the_worker_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiokafka keeps the error to itself while partitions move: the worker would wait for ever and say nothing."""
    monkeypatch.setattr(assignor, "TOPIC_TIMEOUT", 0.02)
    raised, told = asyncio.run(_assigned(-1, answers=True))
    assert told == [raised]
    assert "webhooks.raw" in str(raised)


def test_a_consumer_that_closes_waits_for_no_topic() -> None:
    """A stop would take as long as the topic stays away, or end as a crash."""
    raised, told = asyncio.run(_assigned(-1, answers=True, closing=True))
    assert isinstance(raised, ConfigurationError)
    assert told == []


class OtherVersion:
    """Stands for aiokafka's coordinator. The group refuses it so many times."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals

    async def _do_rejoin_group(self, subscription: str) -> bool:
        if self.refusals:
            self.refusals -= 1
            raise InconsistentGroupProtocolError
        return subscription == "topics"


def test_a_member_that_its_group_refuses_joins_once_the_others_have_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rolling upgrade would end every new worker until the last old one has left, and never get that far."""
    monkeypatch.setattr(assignor, "PROTOCOL_RETRY", 0.0)

    async def tries() -> tuple[list[bool], list[bool]]:
        refused = list[bool]()
        join = wait_for_protocol(OtherVersion(2), refused.append)
        return [await join("topics") for _ in range(3)], refused

    assert asyncio.run(tries()) == ([False, False, True], [True, True, False])


def test_a_member_that_has_joined_at_last_is_not_taken_for_one_without_a_place() -> None:
    """Every worker that waited in an upgrade would be restarted a minute after it has begun to work."""
    consumer: Any = object.__new__(Consumer)
    consumer.app = SimpleNamespace(conf=SimpleNamespace(id="messenger"))
    consumer.refused, consumer.unassigned_since = False, 1.0
    Consumer.set_refused(consumer, True)
    consumer.unassigned_since = None  # its assignment comes before the end of its try to join
    Consumer.set_refused(consumer, False)
    assert (consumer.refused, consumer.unassigned_since) == (False, None)


@pytest.mark.parametrize(("tables", "name"), [({"parked", "seen"}, PARKING_PROTOCOL), ({"seen"}, "faust")])
def test_only_apps_that_park_have_a_protocol_of_their_own(tables: set[str], name: str) -> None:
    """Workers that do not park would get partitions with parked records; or intakes of two versions share none."""
    app = SimpleNamespace(tables=None, stage_tables=tables)
    assert TopicAwareAssignor(cast(Any, app)).name == name
