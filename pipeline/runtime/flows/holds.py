"""Holds: nothing of a held key or group is tried before a time. Then one record goes first.

Without them each record of an account that is paused would be tried, and fail, again and again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.runtime.flows.fairness import FairKey

HoldTarget = FairKey | str
"""A key, or a whole group."""


@dataclass(slots=True, eq=False)
class Hold:
    """One held key or group.

    Attributes:
        until: time of the event loop from which the first record may be tried.
        over: True once that time has come.
        probing: True: the others wait until the first one has succeeded. False: until it waits by itself, or begins.
        cause: description of the error that it is for.
        held_by: name of what holds it, one of a few.
        ends_at: time of the event loop at which that is expected to end.
        first: the record that goes first; None until one does.
        waiters: those that wait, in order.
        called: number of those that were woken and have not looked yet. Nobody goes before them.
    """

    until: float
    probing: bool
    over: bool = False
    cause: str = ""
    held_by: str = ""
    ends_at: float = 0.0
    first: object = None
    waiters: deque[asyncio.Future[None]] = field(default_factory=deque)
    called: int = 0

    async def wait(self) -> None:
        """Return once it is worth while to look at the hold again."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():  # it was this one's turn
                self.called -= 1
                self.wake(1)
            raise
        self.called -= 1

    def wake(self, count: int) -> None:
        """Let the next `count` waiters look at the hold again."""
        while count and self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                self.called += 1
                count -= 1


class Holds:
    """All holds of one flow.

    Args:
        on_end: called with a key or group when further records of it may be of use.
    """

    def __init__(self, on_end: Callable[[HoldTarget], object] = lambda _: None) -> None:
        self._holds: dict[HoldTarget, Hold] = {}
        self._on_end = on_end

    def __len__(self) -> int:
        return len(self._holds)

    def clear(self) -> None:
        """End all holds: partitions have moved."""
        holds, self._holds = self._holds, {}
        for hold in holds.values():
            hold.wake(len(hold.waiters))

    def hold(
        self,
        held: HoldTarget,
        seconds: float,
        *,
        probing: bool,
        cause: str = "",
        held_by: str = "other",
        lasts: float = 0.0,
    ) -> None:
        """Try nothing of `held` for `seconds`. A hold that lasts longer stays."""
        loop = asyncio.get_running_loop()
        hold = self._holds.setdefault(held, Hold(0.0, probing))
        hold.first, hold.probing, hold.over, hold.cause = None, probing, False, cause
        hold.until = max(hold.until, loop.time() + seconds)
        hold.held_by, hold.ends_at = held_by, max(hold.until, loop.time() + lasts)
        loop.call_at(hold.until, self._time_over, held, hold, hold.until)

    def end(self, held: HoldTarget) -> None:
        """Try the records of `held` at once, as many as there are: what held them is gone."""
        if (hold := self._holds.get(held)) is not None:
            self._end(held, hold)

    def concern(self, fair_key: FairKey) -> bool:
        """Return True if there is a hold of a key or its group."""
        return fair_key in self._holds or fair_key[0] in self._holds

    def concern_group(self, group: str) -> bool:
        """Return True if there is a hold of a whole group."""
        return group in self._holds

    def is_held(self, fair_key: FairKey) -> bool:
        """Return True if no further record of a key is of use now: it is held, or one of it goes first."""
        return bool(self._holds) and any(
            not hold.over or hold.first is not None
            for held in (fair_key, fair_key[0])
            if (hold := self._holds.get(held)) is not None
        )

    def state(self, fair_key: FairKey) -> tuple[float | None, str]:
        """Return the seconds until a record of a key is tried, and the cause; None: nothing holds it."""
        last = self.last(fair_key)
        if last is None:
            return None, ""
        return max(0.0, last.until - asyncio.get_running_loop().time()), last.cause

    def last(self, fair_key: FairKey) -> Hold | None:
        """Return the hold of a key or its group that lasts longer; None: nothing holds it."""
        of_key, of_group = self._holds.get(fair_key), self._holds.get(fair_key[0])
        if of_key is None or of_group is None:
            return of_key or of_group
        return of_key if of_key.until >= of_group.until else of_group

    async def wait(self, fair_key: FairKey, item: object) -> None:
        """Return when the record may be tried. At the end of a hold it may be the one that goes first."""
        for held in (fair_key, fair_key[0]):
            while (hold := self._holds.get(held)) is not None and hold.first is not item:
                if hold.first is None and hold.over and not hold.called:
                    hold.first = item
                    break
                await hold.wait()

    def got_through(self, fair_key: FairKey, item: object) -> None:
        """Note that a record got so far that it waits by itself, or begins. Where it was no probe, the next may go."""
        for held in (fair_key, fair_key[0]):
            hold = self._holds.get(held)
            if hold is not None and hold.first is item and not hold.probing:
                self._pass_on(held, hold)

    def succeeded(self, fair_key: FairKey, item: object) -> bool:
        """Note that a record is finished. Return True if it was the probe of its group."""
        was_probe = False
        for held in (fair_key, fair_key[0]):
            hold = self._holds.get(held)
            if hold is None or hold.first is not item:
                continue
            if hold.probing:
                self._end(held, hold)
                was_probe |= held == fair_key[0]
            else:
                self._pass_on(held, hold)
        return was_probe

    def left(self, fair_key: FairKey, item: object) -> None:
        """Note that a record is not tried any more, e.g. because it failed by itself. Another one may go first."""
        for held in (fair_key, fair_key[0]):
            hold = self._holds.get(held)
            if hold is not None and hold.first is item:
                self._pass_on(held, hold)

    def _pass_on(self, held: HoldTarget, hold: Hold) -> None:
        hold.first = None
        if hold.waiters:
            hold.wake(1)
        else:
            self._end(held, hold)

    def _end(self, held: HoldTarget, hold: Hold) -> None:
        del self._holds[held]
        hold.wake(len(hold.waiters))
        self._on_end(held)

    def _time_over(self, held: HoldTarget, hold: Hold, until: float) -> None:
        if self._holds.get(held) is hold and hold.until == until and hold.first is None:
            hold.over = True
            hold.wake(1)
            self._on_end(held)
