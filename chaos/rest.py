"""Waiting until everything has come to rest, so that what is missing then will never come."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

from aiohttp import ClientError
from aiokafka.errors import KafkaError

from chaos.beside import RAISING, SLOW
from chaos.broker import lag
from chaos.runner import Say
from chaos.sandbox_client import SandboxClient
from chaos.stack import Stack, Worker
from pipeline.parked.find import find_parked
from pipeline.topics.agents import agent_app

POLL: Final = 0.5
LOOKS: Final = 3
"""Times in a row that nothing may be found to do."""
ENDLESS: Final = frozenset({agent_app(RAISING), agent_app(SLOW)})
"""Apps that never come to rest."""
TELL: Final = 10.0
"""Seconds from one line about what is left to the next."""


async def come_to_rest(stack: Stack, seconds: float, say: Say, sandbox: SandboxClient | None = None) -> list[str]:
    """Return when nothing is left to do, or after `seconds` with what is, one line each. Tells what it waits for.

    Only groups whose app is in the stack are asked for, and statuses only with a `sandbox`.
    """
    told = time.monotonic()
    deadline, quiet = told + seconds, 0
    while True:
        left = await _unfinished(stack, sandbox)
        quiet = 0 if left else quiet + 1
        if quiet == LOOKS or time.monotonic() > deadline:
            return left
        if left and time.monotonic() > told + TELL:
            told = time.monotonic()
            say(f"waiting: {'; '.join(left)}")
        await asyncio.sleep(POLL)


async def _unfinished(stack: Stack, sandbox: SandboxClient | None) -> list[str]:
    if waited_for := stack.not_ready:
        return [f"{name} is not ready" for name in waited_for]
    try:
        behind = await asyncio.wait_for(lag(stack.bootstrap, stack.groups), 20)
        pending = await sandbox.pending() if sandbox else 0
        parked = [] if stack.stock else await parked_left(stack.workers)
    except (KafkaError, ClientError, OSError) as error:
        return [f"the stack does not answer: {error!r}"]
    left = [f"group {group} has {records} records to finish" for group, records in behind.items() if records]
    return left + parked + ([f"{pending} statuses are to be reported"] if pending else [])


async def parked_left(workers: Sequence[Worker]) -> list[str]:
    """Return what is parked, one line per app: its offsets are committed, so no lag shows it.

    Agents beside the bot that raise, or are slow, park for ever.
    """
    report = await find_parked([worker.url for worker in workers])
    records: Counter[str] = Counter()
    for queue in report.queues:
        if queue.app not in ENDLESS:
            records[queue.app] += queue.records
    left = [f"{app} has {count} parked records" for app, count in records.items()]
    return left + [f"{url} does not tell what is parked ({reason})" for url, reason in report.silent.items()]
