"""What a handler does for one event takes effect together, and once. `test_crashes_of_handle` kills it everywhere."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.errors import OutsideEvent, Unavailable
from pipeline.handlers.unit_of_work import UnitOfWork
from pipeline.state import MemoryStore
from tests.unit.handler_events import ACCOUNT, NOW, USER
from topics.commands import Command, CommandKind, command_id

EVENT = f"cloud:{ACCOUNT}:wamid.1"
COUNTER = "{acme}:table:counter"


def command(step: int = 0, text: str = "hi") -> Command:
    return Command(
        command_id=command_id(EVENT, step),
        event_id=EVENT,
        tenant_id="acme",
        provider="cloud",
        account=ACCOUNT,
        recipient=USER,
        kind=CommandKind.TEXT,
        body={"text": text, "preview_url": True},
        created_at=NOW,
    )


def unit(store: MemoryStore) -> UnitOfWork:
    return UnitOfWork(store, "acme", EVENT, ttl=60)


def test_writes_and_commands_are_recorded_together() -> None:
    """If the commands were not recorded with the writes, a crash between both would lose the reply."""

    async def body() -> None:
        store = MemoryStore()
        work = unit(store)
        assert await work.recorded() is None
        await work.rows.increment(COUNTER, "n", 1, None)
        work.send(command())
        assert await work.commit() == [command()]
        assert await store.field(COUNTER, "n") == b"1"
        assert await unit(store).recorded() == [command()]
        assert await store.ttl(f"{{acme}}:unit:{EVENT}") == 60

    asyncio.run(body())


def test_a_second_worker_gets_the_first_ones_commands() -> None:
    """If two workers that hold one event during a rebalance both took effect, the user would be answered twice."""

    async def body() -> None:
        store = MemoryStore()
        first, second = unit(store), unit(store)
        for work, text in ((first, "first"), (second, "second")):
            await work.rows.increment(COUNTER, "n", 1, None)
            work.send(command(text=text))
        assert await first.commit() == [command(text="first")]
        assert await second.commit() == [command(text="first")]
        assert await store.field(COUNTER, "n") == b"1"

    asyncio.run(body())


def test_writes_without_commands_are_recorded_too() -> None:
    """If only sends were remembered, an event that merely counts would count again on redelivery."""

    async def body() -> None:
        store = MemoryStore()
        work = unit(store)
        await work.rows.increment(COUNTER, "n", 1, None)
        assert await work.commit() == []
        assert await unit(store).recorded() == []

    asyncio.run(body())


def test_an_event_without_effects_costs_nothing() -> None:
    """If every read receipt left a record, statuses would fill Redis three times as fast as messages."""

    async def body() -> None:
        store = MemoryStore()
        work = unit(store)
        await work.rows.row(COUNTER)
        assert await work.commit() == []
        assert await work.recorded() is None

    asyncio.run(body())


def test_a_finished_unit_takes_nothing_more() -> None:
    """If a forgotten task could add to a finished unit, its send would be lost in silence."""

    async def body() -> None:
        work = unit(MemoryStore())
        await work.commit()
        with pytest.raises(OutsideEvent):
            work.send(command())
        with pytest.raises(OutsideEvent):
            await work.rows.put(COUNTER, "n", b"1", None)

    asyncio.run(body())


def test_a_failed_read_fails_the_unit() -> None:
    """If a handler that swallows an outage could commit, users would get an apology for Redis being restarted."""

    async def body() -> None:
        work = unit(MemoryStore())
        work.rows.failure = Unavailable("away")
        work.send(command())
        with pytest.raises(Unavailable):
            await work.commit()

    asyncio.run(body())
