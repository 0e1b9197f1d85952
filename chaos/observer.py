"""The workers as they tell of themselves during a run: what they parked, and whose breakers opened."""

from __future__ import annotations

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from chaos.stack import Stack, Worker
from pipeline.parked.find import ParkedReport, find_parked
from pipeline.topics import catalogue as topics

HANDLERS: Final = f"{topics.HANDLERS}-default"
EVERY: Final = 1.0
"""Seconds between two looks."""
TIMEOUT: Final = ClientTimeout(total=3)
PARKED: Final = "pipeline_parked_total"
BREAKER: Final = "pipeline_tenant_breaker_open"
_SAMPLE: Final = re.compile(rf"^({PARKED}|{BREAKER}){{(.*)}} (\S+)$", re.MULTILINE)
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')

Sample = tuple[str, Mapping[str, str], float]


class Observer:
    """Looks at all workers once a second. Counts are those of the last look at each process, so they may be too low.

    Attributes:
        most_parked: the most records that were parked at once, by app and tenant.
        broken: tenants whose breaker was seen open.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._counts: dict[tuple[int, str], float] = {}
        self.most_parked: dict[tuple[str, str], int] = {}
        self.broken: set[str] = set()

    async def watch(self) -> None:
        """Look again and again, until it is cancelled."""
        async with ClientSession(timeout=TIMEOUT) as session:
            while True:
                await self.look(session)
                await asyncio.sleep(EVERY)

    async def look(self, session: ClientSession) -> None:
        """Look once at those that answer."""
        workers = self._stack.workers
        reading = asyncio.gather(*(self._read(session, worker) for worker in workers))
        self._note(await find_parked([worker.url for worker in workers]))
        await reading

    def parked(self) -> dict[str, int]:
        """Return how many records were parked, by app."""
        sums: Counter[str] = Counter()
        for (_, app), count in self._counts.items():
            sums[app] += int(count)
        return dict(sums)

    async def _read(self, session: ClientSession, worker: Worker) -> None:
        try:
            async with session.get(f"{worker.url}/metrics") as response:
                text = await response.text()
        except (ClientError, OSError):  # it has just been killed, or is frozen
            return
        counts: defaultdict[tuple[int, str], float] = defaultdict(float)
        for name, labels, value in samples(text):
            if name == BREAKER:
                self.broken |= {labels["tenant"]} if value else set()
            else:
                counts[worker.pid, labels["app"]] += value
        self._counts.update(counts)

    def _note(self, report: ParkedReport) -> None:
        now: Counter[tuple[str, str]] = Counter()
        for queue in report.queues:
            now[queue.app, queue.tenant] += queue.records
        for key, records in now.items():
            self.most_parked[key] = max(records, self.most_parked.get(key, 0))


def samples(text: str) -> Iterator[Sample]:
    """Yield the samples of the metrics above."""
    for name, labels, value in _SAMPLE.findall(text):
        yield name, dict(_LABEL.findall(labels)), float(value)
