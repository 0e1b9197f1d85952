"""One life of a messenger: its stages, in the flows that run them in a worker, over what outlives it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from faust.types import TP

from bench.limits.disk import Disk, Publisher
from bench.limits.gateway import Gateway
from bench.limits.topics import Topics
from pipeline.agents.receive import receive
from pipeline.agents.send import send
from pipeline.agents.topology import command_fairness
from pipeline.backoff import STAGE_RETRIES
from pipeline.messenger.dispatch import Dispatcher
from pipeline.messenger.executor import CommandExecutor
from pipeline.messenger.fates import Fates
from pipeline.messenger.lifetimes import Lifetimes
from pipeline.messenger.slots import SlotBounds
from pipeline.runtime.flows.breaker import OFF, Breaker
from pipeline.runtime.flows.chain_loop import ChainLoop
from pipeline.runtime.flows.concurrent_loop import ConcurrentLoop
from pipeline.runtime.flows.context import FlowContext
from pipeline.runtime.flows.fetch_buffer import FetchBuffer
from pipeline.runtime.parking.queue_rows import TABLE as PARKED
from pipeline.runtime.quarantine.crash_marker import CrashMarker
from pipeline.settings import Settings
from pipeline.tenants import Tenants
from pipeline.testing.memory_flows import InMemoryAssignment
from pipeline.topics.catalogue import COMMANDS, CONTACTS, RECEIPTS, SENT
from pipeline.topics.records import Record

TABLES: Final = (SENT, CONTACTS, PARKED)
READ_RATE: Final = 20_000.0
"""Records per second that a worker reads and parks, as `bench.parked` has measured it."""
FETCH: Final = 500
"""Records that are fetched at once."""
FULL: Final = 0.02
"""Seconds until a partition is looked at again that has no room for what was fetched."""


class Process:
    """A messenger that owns all partitions.

    Args:
        now: returns unix seconds of virtual time.
        on_outputs: called with the records that it publishes, when the broker has them.
    """

    def __init__(
        self,
        topics: Topics,
        disk: Disk,
        gateway: Gateway,
        tenants: Tenants,
        partitions: int,
        now: Callable[[], float],
        on_outputs: Callable[[Sequence[Record]], None],
    ) -> None:
        self._topics = topics
        self._settings = settings = Settings()
        self._assignment = InMemoryAssignment()
        self._assignment.assigned = set(range(partitions))
        self._assignment.positions = dict(topics.committed)
        bounds = SlotBounds(
            settings.send_concurrency, settings.send_concurrency_per_host, settings.send_concurrency_per_account
        )
        self._dispatcher = Dispatcher({gateway.name: gateway}, tenants, bounds, now=now)
        executor = CommandExecutor(
            self._dispatcher, settings.reconcile_window, now=now, lifetimes=Lifetimes(tenants, settings.lifetimes)
        )
        context = self._context(disk, Publisher(disk, on_outputs))
        fates, fairness = Fates(tenants), command_fairness(tenants, partitions)
        self.flows: list[ConcurrentLoop | ChainLoop] = [
            ConcurrentLoop(context, each.name, FetchBuffer(), Breaker(OFF), send(executor, fairness, fates=fates))
            for each in COMMANDS
        ]
        receipts = receive(fates, charge=self._dispatcher.charge)
        self.flows.append(ChainLoop(context, RECEIPTS.name, FetchBuffer(), Breaker(OFF), (receipts,)))
        self.positions: dict[TP, int] = dict(topics.committed)
        self._running: list[asyncio.Future[Any]] = []

    def _context(self, disk: Disk, publisher: Publisher) -> FlowContext:
        return FlowContext(
            app="messenger",
            publisher=publisher,
            assignment=self._assignment,
            tables=disk.tables(),
            retries=STAGE_RETRIES,
            accepting=lambda: not self._assignment.suspend_flow.is_set(),
            stopping=lambda: False,
            crash_marker=CrashMarker(None),
        )

    def start(self) -> None:
        """Begin to work."""
        feeds = [self._feed(flow) for flow in self.flows]
        flows = [flow.run() for flow in self.flows]
        self._running = [asyncio.ensure_future(each) for each in (*feeds, *flows, self._commit())]

    @property
    def error(self) -> BaseException | None:
        """The error that ended a part of the process; None while all of it runs."""
        ended = (each for each in self._running if each.done())
        return next((each.exception() for each in ended if not each.cancelled()), None)

    async def kill(self) -> None:
        """End it at once: only what the broker, the disk and the provider have is left."""
        for each in self._running:
            each.cancel()
        await asyncio.wait(self._running)
        await self._dispatcher.close()

    async def hand_over(self) -> None:
        """Give the partitions away, as a rebalance does: what is in work ends first, and is committed."""
        self._assignment.suspend_flow.set()
        for flow in self.flows:
            flow.buffer.new_data.set()
        while self._assignment.working:  # noqa: ASYNC110 (the work sets no event)
            await asyncio.sleep(FULL)
        self._topics.committed |= self._assignment.positions
        await self.kill()

    async def _commit(self) -> None:
        while True:
            await asyncio.sleep(self._settings.commit_interval)
            self._topics.committed |= self._assignment.positions

    # Fetching

    async def _feed(self, flow: ConcurrentLoop | ChainLoop) -> None:
        """Fetch the records of a topic, as fast as a worker reads."""
        appended = asyncio.Event()
        for partition in self._assignment.assigned:
            self._topics.log(flow.source, partition).on_append = appended.set
        while True:
            appended.clear()
            if fetched := self._fetch(flow):
                await asyncio.sleep(fetched / READ_RATE)
            elif self._is_behind(flow.source):
                await asyncio.sleep(FULL)
            else:
                await appended.wait()

    def _fetch(self, flow: ConcurrentLoop | ChainLoop) -> int:
        count = 0
        for log in self._topics.logs(flow.source):
            at = self.positions.get(log.tp, 0)
            if at < log.end and not flow.buffer.full(log.tp):
                records = log.read(at, FETCH)
                flow.buffer.add(log.tp, records, sum(len(each.value or b"") for each in records))
                self.positions[log.tp] = at + len(records)
                count += len(records)
        return count

    def _is_behind(self, topic: str) -> bool:
        return any(self.positions.get(log.tp, 0) < log.end for log in self._topics.logs(topic))

    @property
    def has_read_all(self) -> bool:
        """True if every record of every topic was fetched."""
        return not any(self._is_behind(flow.source) for flow in self.flows)
