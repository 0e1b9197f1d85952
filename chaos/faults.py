"""Carries the plan out."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

from chaos.plan import KILLS, TROUBLES, Act, Fault
from chaos.sandbox_client import SandboxClient
from chaos.stack import Stack
from chaos.troubles import Troubles


class Faults:
    """The executed part of a plan.

    Attributes:
        done: how often each act hit each target. A kill or a freeze counts where it found a process.
        missed: those that found none: the process was down already.
        times: when each of those that were carried out was, in seconds since the epoch.
    """

    def __init__(self, stack: Stack, sandbox: SandboxClient, troubles: Troubles) -> None:
        self._stack = stack
        self._sandbox = sandbox
        self._troubles = troubles
        self.done: Counter[tuple[str, Act]] = Counter()
        self.missed: list[Fault] = []
        self.times: list[tuple[float, Fault]] = []

    @property
    def kills(self) -> int:
        return sum(count for (_, act), count in self.done.items() if act in KILLS)

    async def carry_out(self, plan: Sequence[Fault]) -> None:
        started = time.monotonic()
        for fault in plan:
            await asyncio.sleep(max(0, started + fault.at - time.monotonic()))
            await self._do(fault)

    async def _do(self, fault: Fault) -> None:
        if fault.act in KILLS:
            self._stack.kill(fault.target, fault.act, lambda hit: self._hit(fault, hit))
            return
        if fault.act is Act.FREEZE:
            self._stack.freeze(fault.target, fault.amount, lambda hit: self._hit(fault, hit))
            return
        self._note(fault)
        if fault.act is Act.ADD:
            self._stack.add(fault.target, fault.target.removesuffix("-2"))
        elif fault.act is Act.REMOVE:
            self._stack.remove(fault.target)
        elif fault.act in TROUBLES:
            await self._troubles.carry_out(fault)
        else:
            await self._sandbox.misbehave(fault)

    def _hit(self, fault: Fault, hit: bool) -> None:
        if hit:
            self._note(fault)
        else:
            self.missed.append(fault)

    def _note(self, fault: Fault) -> None:
        self.done[fault.target, fault.act] += 1
        self.times.append((time.time(), fault))
