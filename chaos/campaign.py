"""One run from its first webhook to its verdict."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import ClientSession

from chaos.beside import counts, miscounted, untested_beside
from chaos.driver import Driver
from chaos.evidence import Evidence, gather
from chaos.faults import Faults
from chaos.noisy import all_traffic
from chaos.observer import Observer
from chaos.options import Options
from chaos.plan import plan
from chaos.rest import come_to_rest
from chaos.runner import Say
from chaos.sandbox_client import SandboxClient
from chaos.stack import Stack
from chaos.tested import untested
from chaos.troubles import Troubles, troubles_of
from chaos.verdict import Verdict, judge


@dataclass(frozen=True, slots=True)
class Run:
    """The faults of a run, its evidence and its verdict. `drained` is in seconds."""

    options: Options
    driver: Driver
    faults: Faults
    troubles: Troubles
    observer: Observer
    evidence: Evidence
    verdict: Verdict
    drained: float


async def campaign(options: Options, stack: Stack, say: Say) -> Run:
    """Drive, kills, waits until everything has come to rest, counts. The stack is ready and stays so."""
    observer = Observer(stack)
    async with ClientSession() as session, troubles_of(stack, observer) as troubles:
        sandbox = SandboxClient(stack.sandbox_url, session)
        await sandbox.prepare()
        driver, faults = Driver(stack.ingress_url), Faults(stack, sandbox, troubles)
        beside = [asyncio.create_task(_tell(driver, faults, say))]
        if not options.on.stock:
            beside.append(asyncio.create_task(observer.watch()))
        driving = asyncio.create_task(driver.drive(all_traffic(options)))
        await faults.carry_out(plan(options))
        await sandbox.behave()
        await troubles.end_all(options.drain)
        began, restless = time.monotonic(), await _drain(options, stack, sandbox, driving, driver, say)
        await _end(beside)
        evidence = await gather(stack.bootstrap, stack.redis_url, sandbox)
        missed = untested(driver, troubles, observer) if options.noisy else []
        wrong: list[str] = []
        if options.agents:
            missed += await untested_beside(stack.bootstrap)
            wrong = miscounted(driver.accepted, await counts(stack.redis_url))
        verdict = judge(driver.accepted, evidence, restless, missed, miscounted=wrong)
        return Run(options, driver, faults, troubles, observer, evidence, verdict, time.monotonic() - began)


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks. Raise the error of one that has ended with one."""
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _drain(
    options: Options, stack: Stack, sandbox: SandboxClient, driving: asyncio.Task[None], driver: Driver, say: Say
) -> list[str]:
    try:
        await asyncio.wait_for(driving, options.seconds + options.drain)
    except TimeoutError:
        return [f"{driver.waiting} webhooks were never taken"]
    return await come_to_rest(stack, options.drain, say, sandbox)


async def _tell(driver: Driver, faults: Faults, say: Say) -> None:
    while True:
        await asyncio.sleep(10)
        say(f"{driver.webhooks} webhooks taken, {driver.waiting} waiting, {faults.kills} kills")
