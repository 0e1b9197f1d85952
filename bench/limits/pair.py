"""Fifty messages to one person, in both readings of the limit to one person."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from bench.limits.campaigns import FIRST, counted
from bench.limits.world import Number, World, simulate
from pipeline.topics.commands import Priority

MESSAGES: Final = 50
AT_ONCE: Final = 45
INTERVAL: Final = 6.0
DEBT: Final = AT_ONCE * INTERVAL
LATENCY: Final = (0.02, 0.1)
"""Seconds of a call. A person's messages go one by one, and 45 must be through within 6 s, which a burst may last."""
NEARLY: Final = 1.0
"""Seconds by which the last one may come late: a debt is paid 0.2 s later, and then they go one by one."""
LONGEST: Final = 600.0


@dataclass(frozen=True)
class Pair:
    """Fifty messages to one person.

    Attributes:
        reading: `bucket`, with interactive messages; `debt`, with those of a campaign.
        times: seconds from the first message's arrival until each one's.
    """

    reading: str
    seconds: float
    times: tuple[float, ...]
    violations: int

    @property
    def burst(self) -> float:
        """Seconds until the 45th message."""
        return self.times[AT_ONCE - 1]

    @property
    def expected(self) -> tuple[float, ...]:
        """The earliest times of the 46th message and those behind it."""
        more = MESSAGES - AT_ONCE
        return tuple(INTERVAL * each for each in range(1, more + 1)) if self.reading == "bucket" else (DEBT,) * more

    def problems(self) -> list[str]:
        """Return one line for each bound that was not kept."""
        found = [f"45 messages took {self.burst:.1f} s"] if self.burst >= INTERVAL else []
        late = [
            f"message {number} came after {at:.2f} s instead of {due:g}"
            for number, (at, due) in enumerate(zip(self.times[AT_ONCE:], self.expected, strict=True), AT_ONCE + 1)
            if not due - LATENCY[1] <= at <= due + NEARLY
        ]
        return [f"{self.reading}: {line}" for line in (*found, *late, *counted(refused=self.violations))]


def pair(reading: str, seed: int = 1) -> Pair:
    """Send fifty messages to one person."""
    account = str(FIRST)

    async def scene(world: World) -> Pair:
        priority = Priority.INTERACTIVE if reading == "bucket" else Priority.BULK
        world.start()
        numbers = world.publish(account, MESSAGES, priority, lambda _: "15550000000")
        await world.until(world.all_accepted(numbers), "end of the messages", LONGEST)
        times = world.tally(account).times
        await asyncio.sleep(1.0)
        return Pair(reading, times[-1] - times[0], tuple(at - times[0] for at in times), world.violations)

    return simulate(scene, [Number(account, pair=reading)], partitions=1, seed=seed, latency=LATENCY)
