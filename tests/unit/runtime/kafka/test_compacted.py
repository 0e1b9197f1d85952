"""The reader that follows a topic, before a client that fails in every way. A real broker is in the fault tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from pipeline.errors import Unavailable
from pipeline.runtime.kafka import compacted
from pipeline.runtime.kafka.compacted import SILENT_TIMEOUT, TIMEOUT, TopicFollower
from pipeline.testing import TestRecord
from pipeline.testing.own_time import OwnTime
from pipeline.topics.records import ConsumedRecord


class Log:
    """A partition and the broker that has it.

    Attributes:
        opened: the positions from which a client began to read.
        away: True while nobody gets a connection.
        silent: True while the broker answers no fetch.
        error: what the next fetch raises.
    """

    def __init__(self) -> None:
        self.records: list[TestRecord] = []
        self.opened: list[int] = []
        self.away = self.silent = False
        self.error: Exception | None = None

    def add(self, value: str) -> None:
        self.records.append(TestRecord(value.encode(), value.encode(), topic="t", offset=len(self.records)))

    @asynccontextmanager
    async def connect(self, _: str, __: object, position: int) -> AsyncIterator[Client]:
        if self.away:
            raise KafkaConnectionError
        self.opened.append(position)
        yield Client(self, position)


class Client:
    """The part of a consumer that the reader uses."""

    def __init__(self, log: Log, position: int) -> None:
        self._log = log
        self._at = position
        self._answers = 0

    async def end_offsets(self, tps: list[Any]) -> dict[Any, int]:
        return {tp: len(self._log.records) for tp in tps}

    async def position(self, _: object) -> int:
        return self._at

    async def getmany(self, tp: object, timeout_ms: int) -> dict[object, list[TestRecord]]:
        await asyncio.sleep(timeout_ms / 1000)
        if self._log.error is not None:
            error, self._log.error = self._log.error, None
            raise error
        if self._log.silent:
            return {}
        self._answers += 1
        found, self._at = self._log.records[self._at :], len(self._log.records)
        return {tp: found}

    def last_poll_timestamp(self, _: object) -> int | None:
        return self._answers or None


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    made = Log()

    async def exists(*_: object) -> None:
        """The topic is there."""

    monkeypatch.setattr(compacted, "_connected", made.connect)
    monkeypatch.setattr(compacted, "require_topics", exists)
    yield made


def follow(scene: Callable[[TopicFollower, list[str]], Awaitable[None]]) -> None:
    """Follow a topic in virtual time. A record whose value is `bad` can't be applied."""
    applied: list[str] = []

    def apply(record: ConsumedRecord) -> None:
        applied.append((record.value or b"").decode())
        if record.value == b"bad":
            raise RuntimeError("a bug")

    async def run() -> None:
        follower = TopicFollower("nowhere", "t", apply)
        try:
            await scene(follower, applied)
        finally:
            await follower.close()

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(run())


def test_all_that_is_there_is_applied_before_the_start_is_over(log: Log) -> None:
    """A messenger would make its first calls for a number that has been paused for days."""

    async def scene(follower: TopicFollower, applied: list[str]) -> None:
        for value in "abc":
            log.add(value)
        await follower.start()
        assert applied == ["a", "b", "c"]
        log.add("d")
        await asyncio.sleep(0.5)
        assert applied == ["a", "b", "c", "d"]

    follow(scene)


@pytest.mark.parametrize("failure", ["an error", "a record that can't be applied", "silence", "no connection"])
def test_whatever_fails_each_record_is_applied_once_and_in_order(log: Log, failure: str) -> None:
    """A messenger would obey nothing any more after one failure, and nobody would see it."""

    async def scene(follower: TopicFollower, applied: list[str]) -> None:
        log.add("a")
        await follower.start()
        match failure:
            case "an error":
                log.error = KafkaConnectionError()
            case "a record that can't be applied":
                log.add("bad")
                await asyncio.sleep(0.5)
                applied.remove("bad")
            case "silence":
                log.silent = True
                await asyncio.sleep(2 * SILENT_TIMEOUT)
                assert len(log.opened) > 1, "it waits for a client that is dead"
                log.silent = False
            case "no connection":
                log.error, log.away = KafkaConnectionError(), True
                await asyncio.sleep(600)
                log.away = False
        log.add("b")
        await asyncio.sleep(3)
        assert applied == ["a", "b"]
        assert log.opened[0] == 0
        assert min(log.opened[1:]) >= 1, "old records would undo what came after them"

    follow(scene)


def test_a_start_without_a_broker_says_so_and_may_be_repeated(log: Log) -> None:
    """A worker that starts before its broker would hang, or send without knowing what is paused."""

    async def scene(follower: TopicFollower, applied: list[str]) -> None:
        log.away = True
        log.add("a")
        began = asyncio.get_running_loop().time()
        with pytest.raises(Unavailable, match="can't reach Kafka"):
            await follower.start()
        assert asyncio.get_running_loop().time() - began <= TIMEOUT + 1
        log.away = False
        await follower.start()
        assert applied == ["a"]

    follow(scene)
