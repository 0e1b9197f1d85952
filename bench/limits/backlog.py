"""A number with a backlog, and two others of its partition: does anybody wait because of it?"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import Final

from bench import webhooks
from bench.accounts import neighbours
from bench.limits.campaigns import LEAST, counted
from bench.limits.process import READ_RATE
from bench.limits.world import Number, World, simulate
from pipeline.topics.commands import Command, Priority

PARTITIONS: Final = 8
RATE: Final = 80.0
IDLE: Final = 60.0
"""Seconds before the backlog comes."""
REPLY: Final = 1.0
"""Seconds from one reply to the next, of the other number and of the one with the backlog."""
CAMPAIGN: Final = 60.0
"""Seconds of the second campaign, at most."""
MAX_START: Final = 2.0
"""Seconds until the second campaign's first message arrives."""
CAMPAIGN_SHARE: Final = 0.95
"""Share of its own rate that the second campaign reaches, from then on."""
MAX_WAIT: Final = 0.01
"""Seconds by which the median reply of the other number may wait for longer than on an idle messenger."""
MAX_IN_FRONT: Final = 1
"""Bulk commands of its number that may go before a reply: one may have its permit already when the reply comes."""


@dataclass(frozen=True)
class Waits:
    """Seconds from the publication of replies to their calls."""

    median: float
    longest: float

    @classmethod
    def of(cls, seconds: list[float]) -> Waits:
        return cls(median(seconds), max(seconds))


@dataclass(frozen=True)
class Backlog:
    """The replies and the campaign beside a backlog.

    Attributes:
        idle: the other number's replies before the backlog.
        beside: the same beside it.
        own: replies of the number with the backlog.
        in_front: bulk commands that were sent before such a reply, at most.
        started: seconds from the second campaign's publication until its first message arrived.
        campaign_share: share of its rate that it used from `MAX_START` to its end.
        used: share of the first number's allowance that was used while both were there.
        unsent: replies that were never sent.
        sent: number of messages that were accepted.
        missing: commands of the backlog that were not sent although all of it should have been.
        peak_mib: resident memory of the process at its highest, with the provider and RocksDB.
        read_cpu: microseconds of processor time for each command, to read and park it.
        send_cpu: the same for each message, from its row to its outcome.
    """

    queued: int
    seconds: float
    idle: Waits
    beside: Waits
    own: Waits
    in_front: int
    unsent: int
    started: float
    campaign_share: float
    used: float
    sent: int
    missing: int
    violations: int
    doubles: int
    peak_mib: float
    read_cpu: float
    send_cpu: float

    def problems(self) -> list[str]:
        """Return one line for each bound that was not kept."""
        over = {
            f"a reply of another number waits {self.beside.median:.4f} s, {self.idle.median:.4f} when idle": (
                self.beside.median > self.idle.median + MAX_WAIT
            ),
            f"{self.in_front} bulk commands went before a reply of their number": self.in_front > MAX_IN_FRONT,
            f"the second campaign began after {self.started:.2f} s, of {MAX_START:g}": self.started > MAX_START,
            f"it reached {self.campaign_share:.2%} of its rate, of {CAMPAIGN_SHARE:.0%}": (
                self.campaign_share < CAMPAIGN_SHARE
            ),
            f"the first used {self.used:.2%} of its allowance, of {LEAST:.0%}": self.used < LEAST,
        }
        counts = counted(violations=self.violations, doubles=self.doubles, missing=self.missing, unsent=self.unsent)
        return [*(line for line, is_over in over.items() if is_over), *counts]


class _Replies:
    """Replies on their way: when each was published, and what has gone before it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._published: dict[int, tuple[float, int]] = {}
        self.waits: dict[str, list[float]] = {}
        self.in_front = 0
        world.gateway.on_call = self._called

    async def keep_up(self, seconds: float, *accounts: str) -> None:
        """Publish a reply of each account every `REPLY` seconds, at a moment of chance, for so many seconds."""
        loop, chance = asyncio.get_running_loop(), self._world.random
        for _ in range(int(seconds / REPLY)):
            await asyncio.sleep(REPLY)
            for account in accounts:
                loop.call_later(chance.uniform(0, REPLY / 2), self._publish, account)
        await asyncio.sleep(REPLY)

    def _publish(self, account: str) -> None:
        calls = self._world.tally(account).calls
        (number,) = self._world.publish(account, 1, Priority.INTERACTIVE, _reply_to)
        self._published[number] = self._world.time, calls

    def _called(self, command: Command, number: int) -> None:
        if (published := self._published.pop(number, None)) is not None:
            at, calls = published
            self.waits.setdefault(command.account, []).append(self._world.time - at)
            self.in_front = max(self.in_front, self._world.tally(command.account).calls - calls)

    @property
    def unsent(self) -> int:
        """The number of replies whose call was not made yet."""
        return len(self._published)

    def take(self, account: str) -> Waits:
        """Return the waits of an account so far, and begin anew."""
        return Waits.of(self.waits.pop(account))


def backlog(queued: int, seconds: float, *, drain: bool = False, seed: int = 1) -> Backlog:
    """Queue so many bulk commands of one number, and look for so many seconds at what else is sent.

    Args:
        drain: go on until all of them are sent.
    """
    hot, other, second = (webhooks.ACCOUNT, *islice(neighbours(webhooks.ACCOUNT, PARTITIONS), 2))

    async def scene(world: World) -> Backlog:
        replies = _Replies(world)
        world.start()
        await replies.keep_up(IDLE, other)
        idle, cpu = replies.take(other), time.process_time()
        numbers = world.publish(hot, queued)
        await world.until(world.has_read_all, "end of reading", 60 + 2 * queued / READ_RATE)
        before = world.accepted
        read_cpu, cpu = time.process_time() - cpu, time.process_time()
        begin, lasts = world.time, min(CAMPAIGN, seconds)
        campaign = world.publish(second, int(RATE * (lasts + 1)))
        await replies.keep_up(seconds, other, hot)
        end = world.time
        if drain:
            await world.until(world.all_accepted(numbers), "end of the backlog", 60 + queued / RATE)
            await asyncio.sleep(CAMPAIGN)
        sent = world.accepted
        return Backlog(
            queued=queued,
            seconds=world.time - begin,
            idle=idle,
            beside=replies.take(other),
            own=replies.take(hot),
            in_front=replies.in_front,
            unsent=replies.unsent,
            started=next(iter(world.tally(second).times), world.time) - begin,
            campaign_share=_share(world, second, begin + MAX_START, begin + lasts),
            used=_share(world, hot, begin, min(end, begin + queued / RATE)),
            sent=sent,
            missing=world.missing(numbers) + world.missing(campaign) if drain else 0,
            violations=world.violations,
            doubles=world.doubles,
            peak_mib=peak_mib(),
            read_cpu=read_cpu / queued * 1e6,
            send_cpu=(time.process_time() - cpu) / (sent - before) * 1e6,
        )

    numbers = [Number(account, RATE, "auto") for account in (hot, other, second)]
    return simulate(scene, numbers, partitions=PARTITIONS, seed=seed)


def _reply_to(number: int) -> str:
    """Return the recipient of a reply. None of them gets bulk messages, which would have to go first."""
    return f"1666{number:07d}"


def _share(world: World, account: str, begin: float, end: float) -> float:
    return world.tally(account).between(begin, end) / (RATE * (end - begin))


def peak_mib() -> float:
    """Return the resident memory of this process at its highest."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
