"""The memory store: the contract, expiry by its clock, and bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pipeline.state import MemoryStore, Store
from pipeline.state.buffer import BufferedRows
from pipeline.state.change import RowChange
from pipeline.state.rows import Rows
from pipeline.state.store import UnitRecord
from tests.support.state_contract import StoreContract
from tests.support.state_contract_caches import CachesContract
from tests.support.state_race import counted, race, writes


class TestMemoryStore(StoreContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[Store]:
        yield MemoryStore()


class TestMemoryCache(CachesContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[Rows]:
        yield MemoryStore()


class TestMemoryCacheInAUnit(CachesContract):
    atomic_answers = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Rows]:
        yield BufferedRows(MemoryStore())


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_rows_and_records_expire() -> None:
    """If rows outlived their ttl, yesterday's half-finished order would go on today."""

    async def body() -> None:
        clock = Clock()
        store = MemoryStore(clock)
        await store.replace("{t}:a", {"x": b"1"}, 10)
        await store.commit([], UnitRecord("{t}:unit", b"[]", 20))
        clock.now += 9.9
        assert await store.exists("{t}:a")
        clock.now += 0.1
        assert await store.row("{t}:a") is None
        assert await store.ttl("{t}:a") == -2
        assert await store.recorded("{t}:unit") == b"[]"
        clock.now += 10
        assert await store.recorded("{t}:unit") is None

    asyncio.run(body())


def test_expired_rows_are_forgotten_without_being_read() -> None:
    """If they stayed, a worker on the memory cache would grow by every user who never comes back."""

    async def body() -> None:
        clock = Clock()
        store = MemoryStore(clock)
        for number in range(100):
            await store.replace(f"{{t}}:{number}", {"x": b"1"}, 10)
        clock.now += 11
        await store.commit([RowChange("{t}:new", sets={"x": b"1"})])
        assert len(store._rows) == 1

    asyncio.run(body())


def test_a_renewed_row_outlives_its_first_expiry() -> None:
    """If the first expiry still struck, active users would lose their session in the middle."""

    async def body() -> None:
        clock = Clock()
        store = MemoryStore(clock)
        await store.replace("{t}:a", {"x": b"1"}, 10)
        clock.now += 5
        assert await store.expire("{t}:a", 10)
        clock.now += 6
        await store.put("{t}:b", "x", b"1", None)
        assert await store.ttl("{t}:a") == 4

    asyncio.run(body())


def test_thousands_at_once_lose_no_write() -> None:
    """If handlers of one process overwrote each other, memory would be weaker than the files it stands for."""

    async def body() -> None:
        store, count = MemoryStore(), writes(2_000)
        assert await race(store, "acme", "only", count) <= 3 * count
        assert await counted(store, "acme") == count

    asyncio.run(body())


def test_what_is_to_expire_earlier_leaves_nothing_of_its_first_ttl() -> None:
    """A worker on the memory cache would keep the name of every event that it ignored for a week."""

    async def body() -> None:
        clock = Clock()
        store = MemoryStore(clock)
        for number in range(5000):
            await store.commit([], UnitRecord(f"{{t}}:unit:{number}", b"[ ]", 7 * 86400))
            await store.expire_records([f"{{t}}:unit:{number}"], 10)
            clock.now += 1
        assert len(store._rows) < 20
        assert len(store._expiries) < 1100

    asyncio.run(body())
