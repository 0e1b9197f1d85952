"""What a handler does for one event takes effect together, and once. `test_crashes_of_handle` kills it everywhere."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import TypeAdapter

from pipeline.errors import NoActiveEvent, Unavailable
from pipeline.handlers.unit_of_work import NO_EFFECT, UnitOfWork
from pipeline.state import MemoryStore
from pipeline.topics.commands import Command, CommandKind, command_id
from tests.support.handler_events import ACCOUNT, NOW, USER

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
        assert not work.effectless
        again = unit(store)
        assert await again.recorded() == []
        assert not again.effectless

    asyncio.run(body())


def test_an_event_without_an_effect_is_recorded_as_such() -> None:
    """If it were forgotten, its hook would run again behind a later event, and might do something then."""

    async def body() -> None:
        store = MemoryStore()
        work, again = unit(store), unit(store)
        await work.rows.row(COUNTER)
        assert await work.commit() == []
        assert work.effectless
        assert await again.recorded() == []
        assert again.effectless, "so that the record's life is cut after a redelivery too"

    asyncio.run(body())


def test_a_hook_that_read_too_late_has_no_effect() -> None:
    """If a frozen worker went on with an event that had no effect elsewhere, the user would get a belated answer."""

    async def body() -> None:
        store = MemoryStore()
        frozen, other = unit(store), unit(store)
        assert await frozen.recorded() is None
        assert await other.commit() == []
        await frozen.rows.increment(COUNTER, "n", 1, None)
        frozen.send(command())
        assert await frozen.commit() == []
        assert frozen.effectless
        assert await store.row(COUNTER) is None

    asyncio.run(body())


def test_a_record_without_an_effect_can_be_read_by_a_version_that_knows_none() -> None:
    """If it could not, a rolling upgrade would make dead letters of the events that the newer workers ignored."""
    assert TypeAdapter(list[Command]).validate_json(NO_EFFECT) == []


def test_a_finished_unit_takes_nothing_more() -> None:
    """If a forgotten task could add to a finished unit, its send would be lost in silence."""

    async def body() -> None:
        work = unit(MemoryStore())
        await work.commit()
        with pytest.raises(NoActiveEvent):
            work.send(command())
        with pytest.raises(NoActiveEvent):
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
