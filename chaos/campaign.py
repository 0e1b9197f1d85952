"""One run from its first webhook to its verdict."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from aiohttp import ClientSession

from chaos.driver import Driver
from chaos.evidence import Evidence, gather
from chaos.faults import Faults
from chaos.options import Options
from chaos.plan import plan
from chaos.rest import come_to_rest
from chaos.runner import Say
from chaos.sandbox_client import SandboxClient
from chaos.stack import Stack
from chaos.traffic import traffic
from chaos.verdict import Verdict, judge


@dataclass(frozen=True, slots=True)
class Run:
    """The faults of a run, its evidence and its verdict. `drained` is in seconds."""

    options: Options
    driver: Driver
    faults: Faults
    evidence: Evidence
    verdict: Verdict
    drained: float


async def campaign(options: Options, stack: Stack, say: Say) -> Run:
    """Drive, kills, waits until everything has come to rest, counts. The stack is ready and stays so."""
    async with ClientSession() as session:
        sandbox = SandboxClient(stack.sandbox_url, session)
        await sandbox.prepare()
        driver, faults = Driver(stack.ingress_url), Faults(stack, sandbox)
        progress = asyncio.create_task(_tell(driver, faults, say))
        driving = asyncio.create_task(driver.drive(traffic(options)))
        await faults.carry_out(plan(options))
        await sandbox.behave()
        began, restless = time.monotonic(), await _drain(options, stack, sandbox, driving, driver, say)
        progress.cancel()
        evidence = await gather(stack.bootstrap, stack.redis_url, sandbox)
        verdict = judge(driver.accepted, evidence, restless)
        return Run(options, driver, faults, evidence, verdict, time.monotonic() - began)


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
