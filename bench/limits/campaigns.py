"""Numbers that each have a campaign of more than they may send: how much of their allowance is used?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import count
from typing import Final

from bench import webhooks
from bench.limits.world import Number, World, simulate

FIRST: Final = 106_540_352_242_922
RATE: Final = 80.0
INBOUND: Final = 2.0
"""Messages of people per second and number."""
SETTLE: Final = 1.0
"""Seconds that do not count, from when all commands have been read: the bucket of a number that was never seen is taken
for empty."""
READING: Final = 30.0
"""Seconds in which all commands are read, at most."""
LEAST: Final = 0.99
"""Share of the allowance that must be used."""


@dataclass(frozen=True)
class Used:
    """The messages of one number.

    Attributes:
        allowed: the limit of the time, less inbound messages.
    """

    account: str
    allowed: float
    sent: int

    @property
    def share(self) -> float:
        return self.sent / self.allowed


@dataclass(frozen=True)
class Campaigns:
    """The campaigns of several numbers, beside each other."""

    seconds: float
    used: list[Used]
    violations: int
    doubles: int

    def problems(self) -> list[str]:
        """Return one line for each bound that was not kept."""
        little = [each for each in self.used if each.share < LEAST]
        found = [f"{each.account} used {each.share:.2%} of its allowance, of {LEAST:.0%}" for each in little]
        return [*found, *counted(violations=self.violations, doubles=self.doubles)]


def counted(**numbers: int) -> list[str]:
    """Return one line for each number that is not 0."""
    return [f"{number:,} {name}" for name, number in numbers.items() if number]


def campaigns(numbers: int, seconds: float, seed: int = 1) -> Campaigns:
    """Let so many numbers send for so many seconds, each as fast as it may, while people write to them."""
    accounts = [Number(str(FIRST + number), RATE) for number in range(numbers)]

    async def scene(world: World) -> Campaigns:
        for account in world.numbers:
            world.publish(account, int(RATE * (seconds + READING)))
        world.start()
        writing = asyncio.ensure_future(_write(world))
        await world.until(world.has_read_all, "end of reading", READING - SETTLE)
        await asyncio.sleep(SETTLE)
        begin = world.time
        await asyncio.sleep(seconds)
        writing.cancel()
        await world.kill()
        used = [_used(world, account, begin, begin + seconds) for account in world.numbers]
        return Campaigns(seconds, used, world.violations, world.doubles)

    return simulate(scene, accounts, seed=seed)


async def _write(world: World) -> None:
    """Let people write to all numbers."""
    accounts = list(world.numbers)
    for each in count():
        await asyncio.sleep(world.random.expovariate(INBOUND * len(accounts)))
        world.write(world.random.choice(accounts), webhooks.contact(each))


def _used(world: World, account: str, begin: float, end: float) -> Used:
    tally = world.tally(account)
    allowed = world.numbers[account].rate * (end - begin) - tally.inbound_between(begin, end)
    return Used(account, allowed, tally.between(begin, end))
