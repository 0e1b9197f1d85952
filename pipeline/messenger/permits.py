"""Permits: a command gets one when its account's limits allow it, those of a higher priority first."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from pipeline.errors import KeyUnavailable, RetryAfter
from pipeline.messenger.limits.account import AccountLimiter, Block, Limit, Limits, Send
from pipeline.messenger.limits.queue import PermitQueue, PermitWaiter, Rank
from pipeline.messenger.limits.rows import ReadRow
from pipeline.messenger.waking import Sleep, do_nothing, sleep_until_woken
from pipeline.tenants import Account
from pipeline.topics.keys import account_key

REVIEW_INTERVAL: Final = 60.0
"""Maximum seconds until a command that is due later is looked at again: a status or its expiry may end it earlier."""
MAX_PERMIT_WAIT: Final = 1.0
"""Maximum seconds for which a command waits for a permit in memory. One that would wait for longer leaves it."""
MAX_RENEWAL_WAIT: Final = 5.0
"""Maximum seconds for which a call that was held up waits for another permit. Its intent is valid for longer."""
GRANT_INTERVAL: Final = 0.002
"""Minimum seconds between two looks at a queue. A fast account gets several permits at each."""

GRANT_SLACK: Final = 0.1
"""Seconds by which a permit may come late before its waiter looks again. Others of a higher priority may go first."""

Now = Callable[[], float]


class AccountPermits:
    """The permits of one account: its limiter, the commands that wait, and a timer for the next permit."""

    __slots__ = ("_now", "_timer", "limiter", "queue")

    def __init__(self, limiter: AccountLimiter, now: Now) -> None:
        self.limiter = limiter
        self._now = now
        self.queue = PermitQueue(limiter)
        self._timer: asyncio.TimerHandle | None = None

    async def acquire(self, send: Send, rank: Rank, wait: Sleep, within: float = math.inf) -> bool:
        """Return True with a permit, False if the wait ended without one.

        Raises `KeyUnavailable` if the next permit is far ahead, and `RetryAfter` if none comes within `within` seconds.
        """
        now = self._now()
        if block := self.limiter.block(send, now):
            raise _blocked(block, within)
        if self.queue.take(rank, now):
            return True
        delay = self.queue.wait(rank, now)
        if delay > min(within, MAX_PERMIT_WAIT):
            raise _blocked(Block(Limit.RATE, delay), within)
        return await self._wait_in_queue(rank, wait, min(2 * delay + GRANT_SLACK, MAX_PERMIT_WAIT))

    async def renew(self, rank: Rank, wait: Sleep) -> bool:
        """Replace a permit that became too old by one that is valid now. Return False if none came soon.

        It needs no row: the permit that it replaces was spent, and used for nothing.
        """
        return self.queue.take(rank, self._now()) or await self._wait_in_queue(rank, wait, MAX_RENEWAL_WAIT)

    async def _wait_in_queue(self, rank: Rank, wait: Sleep, seconds: float) -> bool:
        waiter = PermitWaiter(rank, do_nothing)
        self.queue.add(waiter)
        self._watch(self._now())
        try:
            await sleep_until_woken(waiter, wait, seconds)
        finally:
            self.queue.discard(waiter)
        return waiter.granted

    def spend(self, send: Send) -> dict[str, bytes]:
        """Spend what a command needs beside its permit. Return the rows that must be durable before the call.

        Raises `KeyUnavailable` if a limit holds the command by now: one of another priority may have come between.
        """
        now = self._now()
        if block := self.limiter.block(send, now):
            raise _blocked(block, math.inf)
        self.limiter.spend(send, now)
        return self.limiter.rows(send)

    def describe(self) -> dict[str, Any]:
        """Return the account's limits, what is used of them, and the commands that wait for permits in memory."""
        waiting = {rank.name.lower(): self.queue.count(rank) for rank in Rank}
        return {"limits": self.limiter.describe(self._now()), "waiting_for_permits": waiting}

    def pause(self, seconds: float, person: str | None, *, lowers_limit: bool) -> dict[str, bytes]:
        """Send nothing for so many seconds: to that person, or to nobody if it is None. Return the rows that say so."""
        now = self._now()
        if person is not None:
            self.limiter.pause_pair(person, now, seconds)
        elif lowers_limit:
            self.limiter.throttled(now, seconds)
        else:
            self.limiter.bucket.pause(now, seconds)
        return self.limiter.paused_rows(person)

    def change(self, limits: Limits) -> None:
        """Use other limits from now on."""
        self.limiter.change(limits, self._now())
        self.review()

    def cancel(self) -> None:
        """End all waits, without permits."""
        for waiter in self.queue.cancel():
            waiter.wake()

    def review(self) -> None:
        """Look at the queue again, because a limit has changed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.queue:
            self._watch(self._now())

    def _watch(self, now: float) -> None:
        if self._timer is None:
            delay = max(self.limiter.wait(now), GRANT_INTERVAL)
            self._timer = asyncio.get_running_loop().call_later(delay, self._grant)

    def _grant(self) -> None:
        self._timer, now = None, self._now()
        for waiter in self.queue.grant(now):
            waiter.wake()
        if self.queue:
            self._watch(now)


class Permits:
    """The permits of the accounts that this process has commands of.

    Args:
        limits: returns the limits of an account.
        now: returns unix seconds that never jump.
    """

    def __init__(self, limits: Callable[[Account], Limits], now: Now) -> None:
        self._limits = limits
        self._now = now
        self._accounts: dict[str, AccountPermits] = {}

    def of(self, account: Account, read: ReadRow) -> AccountPermits:
        """Return the permits of an account. `read` reads the rows that another process left."""
        key = account_key(account.provider, account.id)
        found = self._accounts.get(key)
        if found is None:
            limiter = AccountLimiter(key, self._limits(account), read, self._now())
            found = self._accounts[key] = AccountPermits(limiter, self._now)
        return found

    def known(self, account: Account) -> AccountPermits | None:
        """Return the permits of an account that this process has commands of; else None."""
        return self.find(account_key(account.provider, account.id))

    def find(self, key: str) -> AccountPermits | None:
        """Return the same by the account's key."""
        return self._accounts.get(key)

    def lowered(self, provider: str) -> int:
        """Return the number of a provider's accounts that may send less than configured."""
        now, found = self._now(), tuple(self._accounts.items())
        mine = (permits.limiter.learnt for key, permits in found if key.startswith(f"{provider}:"))
        return sum(learnt.is_lowered and learnt.recovery(now) > 0 for learnt in mine)

    def clear(self) -> None:
        """Forget all accounts: another worker may send for them. The rows say what was spent."""
        accounts, self._accounts = self._accounts, {}
        for permits in accounts.values():
            permits.cancel()


def _blocked(block: Block, within: float) -> RetryAfter:
    """Return the error of a command that a limit makes wait, which names the limit."""
    if block.seconds > within:
        return RetryAfter(f"it expires before its {block.limit} limit allows it", min(within, REVIEW_INTERVAL))
    held = partial(KeyUnavailable, probing=False, held_by=block.limit.value, lasts=block.seconds)
    if block.limit is Limit.PAIR:
        return held("its recipient is at the pair limit", min(block.seconds, REVIEW_INTERVAL))
    if block.limit is Limit.RECIPIENTS:  # other messages of the account, and people who were counted, are not held
        return held(f"{block.limit} are used up", min(block.seconds, REVIEW_INTERVAL))
    # Back before the next permit is valid, so that none is unused.
    again = min(max(block.seconds - MAX_PERMIT_WAIT / 2, 0.0), REVIEW_INTERVAL)
    return held(f"its account is at its limit ({block.limit})", again, whole_group=True)
