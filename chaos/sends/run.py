"""One run of campaigns, from their publication to the verdict."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aiohttp import ClientSession

from chaos.evidence import Evidence, gather
from chaos.faults import Faults
from chaos.observer import Observer
from chaos.options import Options
from chaos.plan import second
from chaos.rest import come_to_rest
from chaos.runner import Say
from chaos.sandbox_client import SandboxClient
from chaos.sends.numbers import NUMBERS, campaigns, rates
from chaos.sends.ownership import Span, Watch, owned
from chaos.sends.plan import KILLS, MESSENGER, plan
from chaos.sends.publish import publish
from chaos.sends.shares import Share, share, unused
from chaos.stack import Stack
from chaos.troubles import troubles_of
from chaos.verdict import Verdict, judge
from pipeline.errors import PipelineError
from pipeline.local.services import PARTITIONS
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.topics.keys import account_key

LATENCY: Final = (0.1, 0.3)
"""Seconds of the provider's answers."""
START_SECONDS: Final = 60.0
TELL: Final = 20.0


@dataclass(frozen=True, slots=True)
class Run:
    """The faults of a run, its evidence and its verdict. `drained` is in seconds.

    Attributes:
        shares: what each number used of its allowance.
        unused: one line for each that used too little.
    """

    options: Options
    faults: Faults
    messages: int
    evidence: Evidence
    verdict: Verdict
    shares: Sequence[Share]
    unused: Sequence[str]
    drained: float

    @property
    def good(self) -> bool:
        return self.verdict.good and not self.unused


async def run(options: Options, stack: Stack, say: Say) -> Run:
    """Publish, do what the plan says, wait until everything has come to rest, count."""
    async with ClientSession() as session, troubles_of(stack, Observer(stack)) as troubles:
        sandbox, watch = SandboxClient(stack.sandbox_url, session), Watch(stack)
        faults = Faults(stack, sandbox, troubles)
        await sandbox.prepare()
        await sandbox.answer_after(*LATENCY)
        await _second_messenger(stack)
        beside = [asyncio.create_task(watch.run()), asyncio.create_task(_tell(sandbox, faults, say))]
        messages = [message for each in campaigns(options).values() for message in each]
        await publish(stack.bootstrap, messages)
        began = time.time()
        say(f"{len(messages):,} commands published")
        await faults.carry_out(plan(options))
        await asyncio.sleep(max(0.0, began + options.seconds - time.time()))
        during = (began, time.time())
        for task in beside:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        restless = await come_to_rest(stack, options.drain, say, sandbox)
        evidence = await gather(stack.bootstrap, None, sandbox)
        shares = _shares(options, watch, faults, evidence, during)
        verdict = judge(messages, evidence, restless, _untested(faults), handled=False)
        drained = time.time() - during[1]
        return Run(options, faults, len(messages), evidence, verdict, shares, unused(shares), drained)


async def _second_messenger(stack: Stack) -> None:
    stack.add(second(MESSENGER), MESSENGER)
    deadline = time.monotonic() + START_SECONDS
    while len(stack.urls_of(MESSENGER)) < 2 or stack.not_ready:
        if time.monotonic() > deadline:
            raise PipelineError(f"the second messenger is not ready after {START_SECONDS:.0f} s")
        await asyncio.sleep(0.1)


async def _tell(sandbox: SandboxClient, faults: Faults, say: Say) -> None:
    while True:
        await asyncio.sleep(TELL)
        counts = await sandbox.counts()
        say(f"{counts['sent']:,} sent, {counts['violations']} violations, {faults.kills} kills")


def _shares(options: Options, watch: Watch, faults: Faults, evidence: Evidence, during: Span) -> list[Share]:
    found = []
    for number in NUMBERS:
        partition = partition_of(account_key("cloud", number.id).encode(), int(PARTITIONS))
        spans = owned(watch.looks, faults.times, partition, during)
        found.append(share(number.id, rates(options)[number.id], evidence.effects, spans, during))
    return found


def _untested(faults: Faults) -> list[str]:
    lines = [f"{fault.act} of {fault.target} at {fault.at:g} s found no process" for fault in faults.missed]
    return [*lines, *([] if faults.kills == KILLS else [f"{faults.kills} kills of {KILLS}"])]
