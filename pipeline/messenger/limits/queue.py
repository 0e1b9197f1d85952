"""The commands that wait for permits of one account: those of a higher priority first, each priority in its order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Final

from pipeline.messenger.limits.account import AccountLimiter


class Rank(IntEnum):
    """The order of priorities: the lowest goes first."""

    INTERACTIVE = 0
    BULK = 1


class PermitWaiter:
    """A command that waits for a permit.

    Attributes:
        granted: True once it has its permit.
        wake: called once: when it has its permit, or when the wait is cancelled.
    """

    __slots__ = ("granted", "rank", "wake")

    def __init__(self, rank: Rank, wake: Callable[[], None]) -> None:
        self.rank = rank
        self.wake = wake
        self.granted = False


class PermitQueue:
    """Grants the permits of one account. A waiter that leaves early costs nobody a permit."""

    __slots__ = ("_waiting", "limiter")

    def __init__(self, limiter: AccountLimiter) -> None:
        self.limiter = limiter
        self._waiting: Final = tuple(OrderedDict[PermitWaiter, None]() for _ in Rank)

    def __len__(self) -> int:
        return sum(map(len, self._waiting))

    def count(self, rank: Rank) -> int:
        """Return the number of waiters of a rank."""
        return len(self._waiting[rank])

    def waiting(self, rank: Rank) -> int:
        """Return the number of waiters that go before a new one of a rank."""
        return sum(len(self._waiting[each]) for each in range(rank + 1))

    def wait(self, rank: Rank, now: float) -> float:
        """Return the seconds that a new waiter of a rank would wait, if nobody of a higher one came."""
        return self.limiter.wait(now, self.waiting(rank))

    def take(self, rank: Rank, now: float) -> bool:
        """Take a permit at once. Return False if the waiter has to wait."""
        if any(self._waiting[: rank + 1]) or self.limiter.wait(now) > 0:
            return False
        self.limiter.take(now)
        return True

    def add(self, waiter: PermitWaiter) -> None:
        self._waiting[waiter.rank][waiter] = None

    def discard(self, waiter: PermitWaiter) -> None:
        self._waiting[waiter.rank].pop(waiter, None)

    def grant(self, now: float) -> Iterator[PermitWaiter]:
        """Give each valid permit to the next waiter."""
        while (waiting := next(filter(None, self._waiting), None)) and self.limiter.wait(now) <= 0:
            waiter, _ = waiting.popitem(last=False)
            self.limiter.take(now)
            waiter.granted = True
            yield waiter

    def cancel(self) -> Iterator[PermitWaiter]:
        """End all waits without permits."""
        for waiting in self._waiting:
            while waiting:
                yield waiting.popitem(last=False)[0]
