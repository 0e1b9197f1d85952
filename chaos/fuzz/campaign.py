"""One fuzz run from its first input to its verdict."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from chaos.fuzz.door import Door
from chaos.fuzz.kinds import corpus
from chaos.fuzz.memory import too_heavy
from chaos.fuzz.strays import scatter
from chaos.fuzz.traces import Traces, gather
from chaos.fuzz.verdict import Verdict, judge
from chaos.rest import come_to_rest
from chaos.runner import Say
from chaos.stack import Stack

DRAIN_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Run:
    """The posted inputs, their traces and the verdict."""

    seed: int
    door: Door
    traces: Traces
    verdict: Verdict


async def campaign(seed: int, inputs: int, stack: Stack, say: Say) -> Run:
    """Post, waits until everything has come to rest, counts."""
    door = Door(stack.ingress_url)
    progress = asyncio.create_task(_tell(door, say))
    door.taken.update(await scatter(stack.bootstrap, seed, inputs // 20))
    await door.post(corpus(seed, inputs))
    restless = await come_to_rest(stack, DRAIN_SECONDS, say)
    progress.cancel()
    traces = await gather(stack.bootstrap)
    deaths = [f"{death.name} {death.why}" for death in stack.log.deaths]
    return Run(seed, door, traces, judge(door, traces, deaths, restless, too_heavy(stack.memory.grown())))


async def _tell(door: Door, say: Say) -> None:
    while True:
        await asyncio.sleep(10)
        say(f"{door.posted} inputs answered, {door.busy} times 503")
