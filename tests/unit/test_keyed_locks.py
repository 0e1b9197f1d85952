"""Locks by name: fair, and never two of one name."""

from __future__ import annotations

import asyncio
import gc

from pipeline.keyed_locks import KeyedLocks


async def _hold(locks: KeyedLocks, name: str, who: str, log: list[str]) -> None:
    async with locks.acquire((name,)):
        log.append(f"+{who}")
        await asyncio.sleep(0)
        log.append(f"-{who}")


def test_a_newcomer_waits_behind_the_waiters() -> None:
    """If the holder took its lock away at its end, whoever came then would work beside those who waited."""

    async def body() -> list[str]:
        locks, log = KeyedLocks(), list[str]()
        first = asyncio.create_task(_hold(locks, "a", "1", log))
        waiters = [asyncio.create_task(_hold(locks, "a", who, log)) for who in "23"]
        await first
        newcomer = asyncio.create_task(_hold(locks, "a", "4", log))
        await asyncio.gather(*waiters, newcomer)
        return log

    assert asyncio.run(body()) == ["+1", "-1", "+2", "-2", "+3", "-3", "+4", "-4"]


def test_other_names_do_not_wait() -> None:
    """One slow upload would stop all others."""

    async def body() -> None:
        locks = KeyedLocks()
        async with locks.acquire(["a"]), locks.acquire(["b"]):
            pass

    asyncio.run(body())


def test_callers_with_several_names_do_not_deadlock() -> None:
    """Two events that wrote the same two rows would wait for each other until their timeout."""

    async def body() -> int:
        locks, done = KeyedLocks(), 0

        async def both(names: list[str]) -> None:
            nonlocal done
            for _ in range(20):
                async with locks.acquire(names):
                    await asyncio.sleep(0)
            done += 1

        await asyncio.gather(both(["a", "b"]), both(["b", "a"]), both(["a", "b", "a"]))
        return done

    assert asyncio.run(body()) == 3


def test_a_cancelled_waiter_lets_the_others_through() -> None:
    """An event that ran out of time while it waited would block its row for ever."""

    async def body() -> list[str]:
        locks, log = KeyedLocks(), list[str]()
        async with locks.acquire(["a"]):
            waiter = asyncio.create_task(_hold(locks, "a", "1", log))
            behind = asyncio.create_task(_hold(locks, "a", "2", log))
            await asyncio.sleep(0)
            waiter.cancel()
        await behind
        return log

    assert asyncio.run(body()) == ["+2", "-2"]


def test_free_locks_take_no_memory() -> None:
    """A lock for every row of every user would fill a worker in days."""

    async def body() -> int:
        locks = KeyedLocks()
        for number in range(100):
            async with locks.acquire([str(number)]):
                pass
        gc.collect()
        return len(locks._locks)

    assert asyncio.run(body()) == 0
