"""Records whose events will not come again get a shorter life, many at a time, whatever the store does meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from pipeline.errors import Unavailable
from pipeline.handlers import expiry
from pipeline.handlers.expiry import RecordExpiry
from pipeline.state import MemoryStore


class Store(MemoryStore):
    """Notes what is to expire, and can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.steps: list[list[str]] = []

    async def expire_records(self, keys: Sequence[str], ttl: int) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable("away")
        assert ttl == 60
        self.steps.append(list(keys))


def test_what_is_committed_together_expires_in_one_step_for_each_tenant() -> None:
    """If every event took a round trip of its own, a busy status hook would cost twice as much."""

    async def body() -> None:
        store = Store()
        expiry = RecordExpiry(store, 60)
        for number in range(5):
            expiry.add("acme", f"a{number}")
        expiry.add("globex", "g")
        await expiry.close()
        assert store.steps == [["a0", "a1", "a2", "a3", "a4"], ["g"]]
        expiry.add("acme", "later")
        await expiry.close()
        assert store.steps[2:] == [["later"]]

    asyncio.run(body())


def test_one_step_is_not_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a hundred thousand records were one step, Redis would answer nobody meanwhile."""
    monkeypatch.setattr(expiry, "MAX_BATCH", 2)

    async def body() -> None:
        store = Store()
        records = RecordExpiry(store, 60)
        for number in range(5):
            records.add("acme", f"a{number}")
        await records.close()
        assert store.steps == [["a0", "a1"], ["a2", "a3"], ["a4"]]

    asyncio.run(body())


def test_while_the_store_is_away_they_wait_for_the_next_ones() -> None:
    """If an outage of Redis were forgotten, what was ignored during it would stay for a week."""

    async def body() -> None:
        store = Store()
        records = RecordExpiry(store, 60)
        store.away = True
        records.add("acme", "a")
        records.add("globex", "g")
        await records.close()
        assert store.steps == []
        store.away = False
        records.add("acme", "b")
        await records.close()
        assert sorted(store.steps) == [["a", "b"], ["g"]]

    asyncio.run(body())
