"""The permits of one number for ten million commands, and nothing around them: a campaign of a day and a half."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from bench import webhooks
from bench.limits.backlog import peak_mib
from bench.limits.campaigns import FIRST, LEAST, counted
from bench.limits.world import START, Number
from pipeline.errors import KeyUnavailable
from pipeline.messenger.limits.account import Send
from pipeline.messenger.limits.pairs import PairRule
from pipeline.messenger.limits.queue import Rank
from pipeline.messenger.permits import Permits
from pipeline.messenger.spending import limits_of
from pipeline.sandbox.limits import LimitEnforcer
from pipeline.tenants import Account, TenantsFile
from pipeline.testing.own_time import OwnTime

RATE: Final = 80.0
WAITING: Final = 64
"""Bulk commands that wait for permits at once."""
REPLY: Final = 10.0
"""Seconds from one reply of the number to the next."""
LIFE: Final = 3_600.0
"""Seconds that a process lasts, from the rows of the one before."""
LOST: Final = 0.5
"""Seconds of its allowance that each process may lose."""
MAX_REPLY: Final = 2 / RATE
"""Seconds that a reply waits at most: for the next permit, and for one that was given away when it came."""


@dataclass(frozen=True)
class Scheduled:
    """The use of the permits of one number.

    Attributes:
        seconds: the length of the campaign.
        lives: number of processes, one after the other.
        in_front: bulk commands that got a permit before a reply that waited, at most.
        reply: the longest wait of a reply, in seconds.
        cpu: microseconds of processor time for each command.
    """

    commands: int
    seconds: float
    lives: int
    replies: int
    in_front: int
    reply: float
    violations: int
    cpu: float
    peak_mib: float

    @property
    def share(self) -> float:
        """Share of the allowance that was used, without what the lives may lose."""
        return (self.commands + self.replies) / (RATE * (self.seconds - LOST * self.lives))

    def problems(self) -> list[str]:
        """Return one line for each bound that was not kept."""
        over = {
            f"{self.share:.2%} of the allowance was used, of {LEAST:.0%}": self.share < LEAST,
            f"{self.in_front} bulk commands went before a reply": self.in_front > 0,
            f"a reply waited for {self.reply:.3f} s, of {MAX_REPLY:.3f}": self.reply > MAX_REPLY,
        }
        return [*(line for line, is_over in over.items() if is_over), *counted(violations=self.violations)]


class _Campaign:
    def __init__(self, commands: int, seed: int) -> None:
        number = Number(str(FIRST), RATE, "auto")
        self._account = _account(number)
        self._judge = LimitEnforcer(number.limits)
        self._random = Random(seed)
        self._left: Iterator[int] = iter(range(commands))
        self._rows: dict[str, bytes] = {}
        self._permits = self._new_permits()
        self._end = 0.0
        self.granted = self.lives = self.replies = self.in_front = self.violations = 0
        self.reply = 0.0

    @property
    def _time(self) -> float:
        return asyncio.get_running_loop().time()

    def _new_permits(self) -> Permits:
        return Permits(limits_of, lambda: START + self._time)

    async def run(self) -> float:
        """Send everything. Return the seconds that it took."""
        bulk = asyncio.gather(*(self._bulk() for _ in range(WAITING)))
        others = [asyncio.ensure_future(each) for each in (self._reply(), self._die())]
        await bulk
        for each in others:
            each.cancel()
        await asyncio.wait(others)
        return self._end

    async def _bulk(self) -> None:
        for number in self._left:
            await self._send(Send(webhooks.contact(number), PairRule.DEBT), Rank.BULK)
            self.granted += 1
            self._end = self._time

    async def _reply(self) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(0.5, 1.5) * REPLY)
            granted, began = self.granted, self._time
            await self._send(Send(f"1666{self.replies:07d}", PairRule.BUCKET), Rank.INTERACTIVE)
            self.replies += 1
            self.in_front = max(self.in_front, self.granted - granted)
            self.reply = max(self.reply, self._time - began)

    async def _die(self) -> None:
        """Begin with new permits, from the rows, again and again."""
        while True:
            self.lives += 1
            await asyncio.sleep(LIFE)
            before, self._permits = self._permits, self._new_permits()
            before.clear()

    async def _send(self, send: Send, rank: Rank) -> None:
        while True:
            permits = self._permits.of(self._account, self._rows.get)
            try:
                if await permits.acquire(send, rank, asyncio.sleep) and permits is self._permits.known(self._account):
                    break
            except KeyUnavailable as held:
                await asyncio.sleep(held.delay)
        rows = permits.spend(send)
        self._rows |= rows
        permits.limiter.saved(rows)
        self.violations += self._judge.check("cloud", self._account.id, send.person, self._time) is not None


def scheduler(commands: int, seed: int = 1) -> Scheduled:
    """Let so many bulk commands of one number get their permits, while people are answered and processes die."""

    async def run() -> Scheduled:
        campaign, cpu = _Campaign(commands, seed), time.process_time()
        seconds = await campaign.run()
        spent = (time.process_time() - cpu) / commands * 1e6
        counts = campaign.lives, campaign.replies, campaign.in_front, campaign.reply, campaign.violations
        return Scheduled(commands, seconds, *counts, spent, peak_mib())

    with asyncio.Runner(loop_factory=OwnTime) as runner:
        return runner.run(run())


def _account(number: Number) -> Account:
    (tenant,) = TenantsFile.model_validate({"tenants": [{"id": "bench", "accounts": [number.settings]}]}).tenants
    return tenant.accounts[0]
