"""Controls as they come: what is told, counted and logged of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import REGISTRY

from pipeline.messenger.control_updates import ControlUpdates
from pipeline.messenger.controls import ControlChange, Controls
from pipeline.testing import TestRecord
from pipeline.testing.own_time import OwnTime
from pipeline.topics.controls import pause_key
from tests.support.controls import START, at, limit, pause, record, tenants

KNOWN = tenants(acme=["1", "2"])

Scene = Callable[[ControlUpdates, list[ControlChange]], Awaitable[None]]


def play(scene: Scene) -> None:
    """Let a scene decide, in virtual time. It is given what is told of it."""

    async def run() -> None:
        told: list[ControlChange] = []
        updates = ControlUpdates(Controls(KNOWN), told.append, lambda: START + asyncio.get_running_loop().time())
        try:
            await scene(updates, told)
        finally:
            await updates.close()

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        runner.run(run())


def count(control: str) -> float | None:
    return REGISTRY.get_sample_value("pipeline_controls", {"control": control})


def test_what_was_decided_before_the_start_is_counted_and_ends_in_time() -> None:
    """A messenger that restarts would never tell the end of a pause, and its dashboard would show none."""

    async def scene(updates: ControlUpdates, told: list[ControlChange]) -> None:
        for each in (pause("1", until=at(60)), pause(tenant="acme", until=at(30)), limit("2", 5)):
            updates.apply(record(each))
        await updates.start()
        assert told == []
        assert (count("pause"), count("limit")) == (2, 1)
        await asyncio.sleep(31)
        assert {change.account.id for change in told} == {"1", "2"}
        assert (count("pause"), count("limit")) == (1, 1)
        told.clear()
        await asyncio.sleep(30)
        assert [change.account.id for change in told] == ["1"]

    play(scene)


def test_who_decided_is_logged_and_a_foreign_record_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody could see afterwards who silenced a number for an hour; or one wrong record would end the messenger."""

    async def scene(updates: ControlUpdates, told: list[ControlChange]) -> None:
        await updates.start()
        updates.apply(record(pause("1", by="jo@desk", until=at(60))))
        updates.apply(record(pause("1", by="mo@desk", active=False)))
        updates.apply(TestRecord(b"{}", b"something else"))
        updates.apply(TestRecord(b"{", pause_key("cloud:2").encode()))
        assert [change.account.id for change in told] == ["1", "1", "2"]

    with caplog.at_level("INFO"):
        play(scene)
    for part in ("control_in_force", "jo@desk", "control_ended", "mo@desk", "control_ignored", "control_unreadable"):
        assert part in caplog.text
    assert "pause/account/cloud:1" in caplog.text


def test_what_can_not_be_read_at_the_start_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A number would be silent after a restart of an older messenger, and nothing would say why."""

    async def scene(updates: ControlUpdates, _: list[ControlChange]) -> None:
        updates.apply(TestRecord(b"{", pause_key("cloud:2").encode()))
        await updates.start()

    play(scene)
    assert "control_unreadable" in caplog.text
