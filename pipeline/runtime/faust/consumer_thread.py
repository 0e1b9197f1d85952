"""The thread in which aiokafka's consumer runs: fetching, committing, membership of the group.

It overrides private names of faust-streaming 0.15.3 and aiokafka 0.14.0, which
`tests/unit/runtime/faust/test_private_names.py` watches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from aiokafka.errors import KafkaError
from aiokafka.protocol.group import LeaveGroupRequest
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from pipeline import aiokafka_patches
from pipeline.runtime.faust.assignor import retry_assignment, wait_for_protocol
from pipeline.runtime.faust.membership import end_when_fenced
from pipeline.runtime.kafka.raw_fetch import LazyFetchResults

if TYPE_CHECKING:
    from pipeline.runtime.faust.consumer import Consumer

FETCH_MAX_WAIT_MS = 100
"""Longest wait of a fetch for data, in ms. A rebalance of a quiet group waits for it; Faust's value is 1,500."""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread with notes beside the offsets, raw fetches and a clean exit."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        aiokafka_patches.install()
        client = super()._create_worker_consumer(transport)
        client._fetch_max_wait_ms = FETCH_MAX_WAIT_MS
        client.commit = partial(self._commit_with_notes, client.commit)
        return client

    @property
    def _owner(self) -> Consumer:
        return cast("Consumer", self.consumer)

    @property
    def _client(self) -> Any:
        return self._consumer

    async def on_start(self) -> None:
        await super().on_start()
        client, owner = self._client, self._owner
        client._coordinator._perform_assignment = retry_assignment(client._coordinator, self._crash_app)
        rejoin = wait_for_protocol(client._coordinator, owner.set_refused)
        client._coordinator._do_rejoin_group = end_when_fenced(client._coordinator, rejoin, self._crash_fenced)
        owner.lease.renew_on_heartbeats(client._coordinator)
        client._fetcher._records = LazyFetchResults(owner.buffers)

    async def on_thread_stop(self) -> None:
        """Stop the client, also while the broker is unreachable.

        Then aiokafka's own stop ends with the cancellation of a fetch that waits to be retried. In stock Faust that
        ends the thread before it has reported its end, and the stop waits until the process is killed.
        """
        with suppress(asyncio.CancelledError):
            await super().on_thread_stop()

    def _crash_app(self, error: Exception) -> None:
        asyncio.run_coroutine_threadsafe(self.app.crash(error), self.parent_loop)

    def _crash_fenced(self, error: Exception) -> None:
        cast(Any, self.app).fenced.add()
        self._crash_app(error)

    # Offsets

    async def _commit_with_notes(self, commit: Any, offsets: Mapping[Any, OffsetAndMetadata]) -> None:
        """Commit each partition's note beside its offset. Faust commits no metadata."""
        notes = self._owner.quarantine.notes
        await commit({tp: OffsetAndMetadata(at.offset, notes.get(tp, "")) for tp, at in offsets.items()})

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek all partitions with one request and keep their notes. Stock Faust makes one request for each."""
        return cast(Mapping[TP, int], await self.call_thread(self._seek_to_committed))

    async def _seek_to_committed(self) -> Mapping[TP, int | None]:
        client = self._client
        assigned = client._subscription.assigned_partitions()
        found: dict[TP, OffsetAndMetadata] = await client._coordinator.fetch_committed_offsets(assigned)
        for tp, at in found.items():
            if at.offset > 0:
                client._fetcher.seek_to(tp, at.offset)
        self._owner.committed_notes = {TP(*tp): at.metadata for tp, at in found.items()}
        return {tp: found[tp].offset if tp in found else None for tp in assigned}

    async def offsets_at(self, times: Mapping[TP, int]) -> dict[TP, int | None]:
        """Return the first offset of each partition at or after a time in ms since the epoch, or None."""
        found = await self.call_thread(self._ensure_consumer().offsets_for_times, times)
        return {tp: at and at.offset for tp, at in found.items()}

    # Group and broker

    async def ping_broker(self) -> None:
        """Return once the broker answers. Raises the errors of aiokafka."""
        if self._consumer is not None:
            await self.call_thread(self._client.topics)

    async def leave(self, notes: Mapping[TP, tuple[int, str]]) -> None:
        """Commit these notes, each with its position, then leave the group. Only for a process that ends now.

        A static member doesn't leave, so its place is kept for its return. The request bypasses the client, which
        would join again.
        """
        client = self._client
        coordinator = client._coordinator
        if notes:
            offsets = {TopicPartition(*tp): OffsetAndMetadata(*note) for tp, note in notes.items()}
            with suppress(KafkaError):
                await coordinator.commit_offsets(client._subscription.subscription.assignment, offsets)
        if coordinator.generation > 0 and coordinator._group_instance_id is None:
            await coordinator._send_req(LeaveGroupRequest(coordinator.group_id, coordinator.member_id))

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Report a partition that its stream does not read. Of a flow `liveness` tells that.

        A flow reads no stream, so stock Faust would log an error for each of its partitions with a backlog of more than
        five minutes, each second of it.
        """
        if tp.topic not in self._owner.buffers:
            super().verify_event_path(now, tp)

    # Fetching

    async def _fetch_records(self, consumer: Any, *args: Any, **kwargs: Any) -> Mapping[TP, list[Any]]:
        """Fetch; return the records to the fetcher if the assignment changed meanwhile, since their reader is gone.

        Raises the error that ended the client's membership. aiokafka does nothing more for the membership until
        somebody asks for that error. Stock Faust never does, so a worker would go on with partitions of others.
        """
        consumer._coordinator.check_errors()
        before = _assignment(consumer)
        records: Mapping[TP, list[Any]] = await super()._fetch_records(consumer, *args, **kwargs)
        if _assignment(consumer) is before:
            return records
        for tp, found in records.items():
            consumer._fetcher.seek_to(tp, found[0].offset)
        return {}


def _assignment(consumer: Any) -> Any:
    subscription = consumer._subscription.subscription
    return subscription and subscription.assignment
