"""A messenger that dies at random moments, or gives its partitions away: what was spent must stay spent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from bench.limits.campaigns import FIRST, counted
from bench.limits.world import Number, World, simulate
from pipeline.topics.commands import Priority

PARTITIONS: Final = 2
RATE: Final = 80.0
BURST: Final = 0.25
"""Seconds of messages that the messenger may send at once after a quiet time."""
SLACK: Final = 0.5
"""Seconds of its allowance that a number may lose by each new life of its messenger: so much a row counts as spent."""
DEAD: Final = ((0.01, 0.05), (0.5, 4.0))
"""Seconds until a messenger that died is there again: one in a moment, or late. The broker has answered by then."""
MOVING: Final = 0.2
"""Seconds of a rebalance, behind the end of what was in work."""
WAVE: Final = 150
"""Commands that come at once, after a quiet time."""
WAVES: Final = 3.0
"""Seconds from one wave to the next."""
PEOPLE: Final = 2
CHAT: Final = 60
"""Messages to one person at once: more than the limit to one person allows."""
SLOW: Final = 4.0
"""Messages per second of the number with a quota of a day."""
QUOTA_SHARE: Final = 0.6
"""Share of the time after which the quota is used up."""
LOST_OF_QUOTA: Final = 1
"""Messages of a day's quota that each new life may lose."""
IN_DOUBT: Final = 900.0
"""Seconds after which everything must be sent: what is in doubt waits for its status first."""

STEADY, WAVING, CHATTING, OWING, LIMITED = (str(FIRST + number) for number in range(5))


@dataclass
class Crashes:
    """The messages that were sent in spite of crashes.

    Attributes:
        quota: messages that a day of the last number may hold.
        kills: deaths of the messenger.
        moves: rebalances that took all partitions away.
        allowed: messages that the steady number could have sent while a messenger was there.
        sent: messages that it has sent meanwhile.
        seconds: the length of all lives.
        accepted: messages of all numbers.
        missing: commands that were never accepted.
        untold: commands without an outcome.
        limits: the violations by limit.
        used_of_quota: messages that the number with a quota has sent.
    """

    quota: int
    kills: int
    moves: int
    seconds: float
    accepted: int = 0
    allowed: float = 0.0
    sent: int = 0
    missing: int = 0
    untold: int = 0
    used_of_quota: int = 0
    violations: int = 0
    limits: dict[str, int] = field(default_factory=dict)
    doubles: int = 0

    @property
    def lives(self) -> int:
        return 1 + self.kills + self.moves

    @property
    def lost(self) -> float:
        """Seconds of the steady number's allowance that each life has lost."""
        return (self.allowed - self.sent) / RATE / self.lives

    def problems(self) -> list[str]:
        """Return one line for each bound that was not kept."""
        found = [f"{count} violations of {limit}" for limit, count in self.limits.items()]
        if self.lost > SLACK:
            found.append(f"each life lost {self.lost:.2f} s of the allowance, of {SLACK:g}")
        if not self.quota - LOST_OF_QUOTA * self.lives <= self.used_of_quota <= self.quota:
            found.append(f"{self.used_of_quota} messages of a quota of {self.quota}")
        return [*found, *counted(doubles=self.doubles, missing=self.missing, untold=self.untold)]


def crashes(kills: int, moves: int, seconds: float, seed: int = 1) -> Crashes:
    """Let five numbers send for so many seconds, with so many deaths and rebalances meanwhile."""
    quota = int(SLOW * QUOTA_SHARE * seconds)
    numbers = [
        Number(STEADY, RATE),
        Number(WAVING, RATE),
        Number(CHATTING, RATE, "bucket"),
        Number(OWING, RATE, "debt"),
        Number(LIMITED, SLOW, per_day=quota),
    ]

    async def scene(world: World) -> Crashes:
        found, count = Crashes(quota, kills, moves, seconds), kills + moves
        steady = world.publish(STEADY, int(RATE * (seconds + BURST * count)))
        chats = [
            world.publish(account, PEOPLE * CHAT, priority, _person)
            for account, priority in ((CHATTING, Priority.INTERACTIVE), (OWING, Priority.BULK))
        ]
        world.publish(LIMITED, 2 * quota)
        waving = asyncio.ensure_future(_waves(world, seconds))
        found.allowed = await _live(world, found, seconds)
        found.sent = world.tally(STEADY).between(0.0, world.time)
        waves = await waving
        sent = [number for each in (steady, *chats, *waves) for number in each]
        await world.until(world.all_accepted(sent), "end of the campaign", IN_DOUBT)
        await asyncio.sleep(1.0)
        found.missing, found.untold = world.missing(sent), world.untold(sent)
        found.doubles, found.used_of_quota = world.doubles, len(world.tally(LIMITED).times)
        found.accepted = world.accepted
        found.violations, found.limits = world.violations, world.violations_by_limit
        return found

    return simulate(scene, numbers, partitions=PARTITIONS, seed=seed)


async def _live(world: World, found: Crashes, seconds: float) -> float:
    """Start, kill and move the messenger. Return the messages that were allowed while one was there."""
    ends = [world.kill] * found.kills + [world.hand_over] * found.moves
    world.random.shuffle(ends)
    lives = _lives(world, len(ends) + 1, seconds)
    allowed, away = 0.0, 0.0
    for lasts, end in zip(lives, [*ends, None], strict=True):
        await asyncio.sleep(away)
        world.start()
        allowed += RATE * (lasts + min(BURST, away))
        await asyncio.sleep(lasts)
        if end is not None:
            await end()
            away = world.random.uniform(*world.random.choice(DEAD)) if end == world.kill else MOVING
    return allowed


def _lives(world: World, count: int, seconds: float) -> list[float]:
    """Return the lengths of lives, `seconds` together."""
    shares = [world.random.uniform(0.2, 1.8) for _ in range(count)]
    return [seconds * share / sum(shares) for share in shares]


async def _waves(world: World, seconds: float) -> list[range]:
    """Publish waves of commands of a number that is quiet in between."""
    found = []
    for _ in range(int(seconds / WAVES)):
        await asyncio.sleep(WAVES)
        found.append(world.publish(WAVING, WAVE))
    return found


def _person(number: int) -> str:
    return f"1666{number % PEOPLE:07d}"
