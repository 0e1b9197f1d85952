"""A worker that starts again after a crash waits for nothing but what it needs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.runtime.faust.app import PipelineApp
from pipeline.runtime.kafka import topic_guard
from pipeline.runtime.kafka.admin import TopicDescription
from pipeline.runtime.process import worker
from pipeline.settings import Settings
from pipeline.topics.installation import TOPIC, Installation
from tests.support.waiting import HANG


@pytest.mark.parametrize("recorded", [True, False])
def test_a_start_asks_the_broker_for_its_topics_once(monkeypatch: pytest.MonkeyPatch, recorded: bool) -> None:
    """Each question is a new connection: after a crash, conversations wait for all of them."""
    asked: list[str] = []

    async def read_records(_: str) -> Installation:
        asked.append("records")
        return Installation(8, frozenset({"a"}))

    async def describe(_: str, names: Iterable[str]) -> dict[str, TopicDescription]:
        asked.append("topics")
        return {name: TopicDescription(name, 8, 1) for name in names if recorded or name != TOPIC}

    monkeypatch.setattr("pipeline.runtime.kafka.installation.read_records", read_records)
    monkeypatch.setattr(topic_guard, "describe", describe)
    found = asyncio.run(topic_guard.require_installation(Settings(partitions=8), ["a", "b"]))
    assert found.partitions == 8
    assert asked == ["topics", "records"][: 1 + recorded]


def test_what_only_warns_comes_after_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversations would wait for three more connections to the broker, for the sake of a log line."""
    order: list[str] = []

    def noted(name: str) -> Any:
        async def note(*_: object) -> dict[str, Any]:
            order.append(name)
            return {}

        return note

    async def play() -> None:
        started = asyncio.get_running_loop().create_future()
        looking = asyncio.create_task(worker._check_topic_settings(Settings(), _APPS, [started]))
        await asyncio.sleep(0)
        order.append("started")
        started.set_result(None)
        await looking

    for name in ("max_batch_bytes", "warn_of_unsafe_topics", "load_retentions"):
        monkeypatch.setattr(worker, name, noted(name))
    asyncio.run(play())
    assert order == ["started", "max_batch_bytes", "warn_of_unsafe_topics", "load_retentions"]


_APPS: Any = [SimpleNamespace(dead_letters={"a": {"dead-letters.a"}}, topic_names={"a"})]


def test_an_app_subscribes_without_a_pause(tmp_path: Path) -> None:
    """Faust sleeps for a second at every start: after each crash, conversations would wait for that too."""

    class Slept(Exception):
        """It did."""

    async def sleep(_: float) -> None:
        raise Slept

    async def play() -> None:
        app = PipelineApp("a-test", Settings(kafka="127.0.0.1:1", data_dir=tmp_path))
        tables: Any = app.tables
        recovery = tables._recovery = SimpleNamespace(started=False)

        async def start() -> None:
            recovery.started = True

        recovery.start, tables.sleep = start, sleep
        stands_in: Any = app
        stands_in._consumer = SimpleNamespace(assignment=set, pause_partitions=lambda _: None)
        stands_in.agents._agents_started.set()
        async with asyncio.timeout(HANG):
            await tables.on_start()
            await tables.wait_until_tables_registered()
        assert recovery.started

    asyncio.run(play())
