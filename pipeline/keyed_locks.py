"""Locks by name: work on the same thing is done one after the other, other work goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary


class KeyedLocks:
    """Fair locks by name: first come, first served. A lock without holder and waiters takes no memory.

    The holder and every waiter keep a strong reference to their lock, so a newcomer finds the same one and queues
    behind the waiters. A dict that the holder removed the lock from would hand the newcomer a second, free lock.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def acquire(self, names: Iterable[str]) -> AsyncIterator[None]:
        """Hold the locks of all `names`. They are acquired in sorted order, so that no two callers deadlock."""
        async with AsyncExitStack() as locks:
            for name in sorted(set(names)):
                await locks.enter_async_context(self._lock(name))
            yield

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())
