"""The faults of a run of campaigns: spread evenly, in an order that follows from the seed alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Final

from chaos.options import Options
from chaos.plan import FROZEN, Act, Fault, second

FIRST: Final = 10.0
"""Seconds without a fault, so that the first one meets calls in flight."""
MESSENGER: Final = "messenger"
TRIPS: Final = 5
"""Times that the second messenger leaves and joins again. The first one is killed while it is away."""
KILLS_OF_TWO: Final = 15
"""Kills of one of the two while both are there."""
KILLS: Final = TRIPS + KILLS_OF_TWO
REBALANCES: Final = 2 * TRIPS
"""Partitions move from one to the other when the second leaves, and when it joins."""
FREEZE_TURNS: Final = 3
"""Turns that the frozen messenger takes, to be found out and to come back."""
SHIFT: Final = 0.3
"""Part of a turn by which a fault may come later."""


def plan(options: Options) -> list[Fault]:
    """Return all faults, in order of time. Both messengers are there at first, and at the end."""
    rng = Random(f"{options.seed}:sends")  # noqa: S311 (replayable, no secret)
    steps = [(Act.SIGKILL,)] * KILLS_OF_TWO + [(Act.REMOVE, Act.SIGKILL, Act.ADD)] * TRIPS + [(Act.FREEZE,)]
    rng.shuffle(steps)
    turns = sum(len(step) for step in steps) + FREEZE_TURNS - 1
    return list(_faults(rng, steps, (options.seconds - FIRST) / turns))


def _faults(rng: Random, steps: Iterable[tuple[Act, ...]], turn: float) -> Iterator[Fault]:
    at = FIRST
    for step in steps:
        for act in step:
            begins = round(at + rng.uniform(0, SHIFT) * turn, 2)
            at += turn * (FREEZE_TURNS if act is Act.FREEZE else 1)
            amount = round(rng.uniform(*FROZEN), 1) if act is Act.FREEZE else 0
            yield Fault(begins, act, _target(rng, act, alone=len(step) > 1), amount)


def _target(rng: Random, act: Act, *, alone: bool) -> str:
    if act in (Act.ADD, Act.REMOVE):
        return second(MESSENGER)
    return MESSENGER if alone else rng.choice((MESSENGER, second(MESSENGER)))
