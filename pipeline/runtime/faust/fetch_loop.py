"""The fetch loop of a consumer: whole fetches go to the buffers of flows, and full partitions are not fetched."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError
from faust.types import TP

from pipeline.runtime.flows.fetch_buffer import FetchedChunk
from pipeline.runtime.kafka.raw_fetch import RawFetch

if TYPE_CHECKING:
    from pipeline.runtime.faust.consumer import Consumer

REBALANCE_INTERVAL = 0.05
"""Time between two checks for the end of a rebalance, in seconds. Faust's second would delay every rebalance."""
CAPACITY_INTERVAL = 0.02
"""Time between two fetches of the other partitions while one is full, in seconds."""
NO_PARTITION = {TP("", 0)}
"""A partition that does not exist."""


class FetchLoop:
    """Decides which partitions of a consumer are fetched, and passes on what comes."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    async def run(self, fetcher: Any) -> None:
        """Fetch until the consumer or Faust's fetcher service stops."""
        consumer = self._consumer
        try:
            while not (consumer._stopped.is_set() or fetcher._stopped.is_set()):
                await self._run_once()
        except consumer.consumer_stopped_errors:
            if not consumer.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not consumer.app.should_stop:
                raise

    async def _run_once(self) -> None:
        consumer = self._consumer
        if not consumer.flow_active:
            await consumer.wait(consumer.can_resume_flow)  # type: ignore[arg-type]
        records = await consumer._getmany(consumer._get_active_partitions(), 1.0)
        await asyncio.sleep(0)
        # Nothing is lost: the flow stops for a new assignment, which starts from the committed positions.
        if consumer.should_stop or not consumer.flow_active:
            return
        for_agents = {tp: found for tp, found in records.items() if not self.buffer(tp, found)}
        if for_agents:
            await consumer._deliver(for_agents)
        with suppress(KafkaError):  # partitions may move meanwhile
            for tp in consumer.quarantine.suspects:
                consumer.quarantine.mark_buffered(tp, await consumer.position(tp) or 0)

    async def getmany(self, active: set[TP], timeout: float) -> Mapping[TP, list[Any]]:
        """Fetch those of `active` that may be fetched. Returns early when a full buffer has capacity again."""
        consumer = self._consumer
        for buffer in consumer.buffers.values():
            buffer.has_capacity.clear()
        wanted = {tp for tp in active if self._is_fetchable(tp)}
        if not wanted:
            await self._wait_for_capacity(REBALANCE_INTERVAL if consumer.app.rebalancing else timeout)
            # A fetch of nothing, since the group removes a member that has not fetched for a quarter of an hour.
            return await consumer.fetch(NO_PARTITION, 0)
        if not any(self._is_full(tp) for tp in active):
            return await consumer.fetch(wanted, timeout)
        # A long fetch of quiet partitions would not notice that a full buffer has capacity again.
        records = await consumer.fetch(wanted, 0)
        if not records:
            await self._wait_for_capacity(CAPACITY_INTERVAL)
        return records

    def buffer(self, tp: TP, fetches: list[RawFetch]) -> bool:
        """Put fetches into the buffer of their flow; return False if no flow reads the topic."""
        buffer = self._consumer.buffers.get(tp.topic)
        if buffer is None:
            return False
        read_offset = self._consumer._read_offset
        for fetch in fetches:
            records = fetch.records(read_offset[tp] or 0)
            read_offset[tp] = fetch.end
            buffer.add(tp, FetchedChunk(records, fetch.count, fetch.size, partial(self._rewind_to_last_record, fetch)))
        return True

    def _rewind_to_last_record(self, fetch: RawFetch) -> None:
        """Set the read offset to the end of the last record once all records of the last fetch are taken.

        Control and compacted records may follow it. They are never processed, so they must not count as lag.
        """
        read_offset = self._consumer._read_offset
        if read_offset[fetch.tp] == fetch.end:
            read_offset[fetch.tp] = fetch.read

    def _is_fetchable(self, tp: TP) -> bool:
        """Return False if the buffer is full, or during a rebalance, in which positions are still being set."""
        consumer = self._consumer
        if tp in consumer.off_log.unresolved:
            return False
        return consumer._is_changelog_tp(tp) or not (consumer.app.rebalancing or self._is_full(tp))

    def _is_full(self, tp: TP) -> bool:
        buffer = self._consumer.buffers.get(tp.topic)
        return buffer is not None and buffer.full(tp)

    async def _wait_for_capacity(self, timeout: float) -> None:
        consumer = self._consumer
        waits = [asyncio.ensure_future(consumer.suspend_flow.wait())]
        waits += [asyncio.ensure_future(buffer.has_capacity.wait()) for buffer in set(consumer.buffers.values())]
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
