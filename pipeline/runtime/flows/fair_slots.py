"""Concurrency slots that go round: by group, and within a group by key (deficit round robin)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from pipeline.runtime.flows.fairness import NO_FAIR_KEY, FairKey, Fairness
from pipeline.runtime.flows.shares import group_may_use

Waiter = asyncio.Future[None]
LEAST_WEIGHT: Final = 0.01
"""A group with less would wait for its first slot for more than a hundred rounds."""


class _Group:
    """The waiting keys of one group, in turn, and its deficit: the slots that it may still take in this round."""

    __slots__ = ("deficit", "keys")

    def __init__(self) -> None:
        self.deficit = 0.0
        self.keys: dict[str, deque[Waiter]] = {}

    def next_waiter(self) -> Waiter | None:
        """Return the first waiter of the next key, and put the key behind the others."""
        while self.keys:
            key = next(iter(self.keys))
            waiters = self.keys.pop(key)
            waiter = waiters.popleft()
            if waiters:
                self.keys[key] = waiters
            if not waiter.done():  # a cancelled one is skipped
                return waiter
        return None


class FairSlots:
    """So many slots. While some are free, nobody waits for a turn.

    A key runs one record at a time, or is paced elsewhere, so only groups are bounded.

    Args:
        fairness: None: all belong to one group.
    """

    def __init__(self, slots: int, fairness: Fairness | None = None) -> None:
        fairness = fairness or Fairness(key=lambda _: NO_FAIR_KEY, has_groups=lambda: False)
        self._weight: Callable[[str], float] = fairness.weight
        self._has_groups = fairness.has_groups
        self._free = slots
        self._used: dict[str, int] = {}
        self._waiting: dict[str, _Group] = {}

    @property
    def waiting(self) -> int:
        """Number of waiters."""
        return sum(len(waiters) for group in self._waiting.values() for waiters in group.keys.values())

    async def acquire(self, fair_key: FairKey) -> None:
        """Take a slot, in turn."""
        name, key = fair_key
        if self._free and not self._waiting and self._may_use(name):
            self._take(name)
            return
        waiter: Waiter = asyncio.get_running_loop().create_future()
        group = self._waiting.get(name)
        if group is None:
            group = self._waiting[name] = _Group()
        if (waiters := group.keys.get(key)) is None:
            group.keys[key] = deque((waiter,))
        else:
            waiters.append(waiter)
        if self._free:
            self._hand_out()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():  # it had its slot already
                self.release(fair_key)
            raise

    def release(self, fair_key: FairKey) -> None:
        """Give a slot back."""
        self._free += 1
        self._used[fair_key[0]] -= 1
        if self._waiting:
            self._hand_out()

    def _take(self, name: str) -> None:
        self._free -= 1
        self._used[name] = self._used.get(name, 0) + 1

    def _may_use(self, name: str) -> bool:
        used = self._used.get(name, 0)
        return not used or group_may_use(used, 1, self._free, self._has_groups, self._weight, name)

    def _hand_out(self) -> None:
        """Give free slots to waiters, until none is free or no group may have one."""
        blocked: set[str] = set()
        while self._free and len(blocked) < len(self._waiting):
            name = next(name for name in self._waiting if name not in blocked)
            if self._may_use(name):
                self._serve(name)
            else:
                blocked.add(name)

    def _serve(self, name: str) -> None:
        """Give the group `name` one slot. Its turn ends when its deficit does."""
        group = self._waiting[name]
        if group.deficit < 1:
            group.deficit += max(self._weight(name), LEAST_WEIGHT)
        if group.deficit >= 1 and (waiter := group.next_waiter()):
            group.deficit -= 1
            self._take(name)
            waiter.set_result(None)
        if not group.keys:
            del self._waiting[name]
        elif group.deficit < 1:
            self._waiting[name] = self._waiting.pop(name)
