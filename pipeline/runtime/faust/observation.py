"""Observes where the partitions of a consumer stand, for the liveness probe and the metrics of lag."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from faust.types import TP

from pipeline.runtime.process.lag import LogPosition, PartitionLag, PartitionWork, measure
from pipeline.runtime.process.liveness import PartitionPosition

if TYPE_CHECKING:
    from pipeline.runtime.faust.consumer import Consumer


async def observe_positions(consumer: Consumer) -> None:
    """Compare the positions of each partition with the end of its log, as the broker gives it.

    Raises the errors of aiokafka while the broker does not answer.
    """
    assigned = {tp for tp in consumer.assignment() if not consumer._is_changelog_tp(tp)}
    consumer.liveness.retain(assigned)
    consumer.log_ends = await consumer.highwaters(*assigned)
    for tp, end in consumer.log_ends.items():
        read = consumer._read_offset[tp] or 0
        # The log may end after offsets without a record: transaction markers, compacted records.
        lagging = consumer.has_uncommitted(tp) or (end > read and end > (await consumer.position(tp) or 0))
        committed = consumer._committed_offset[tp] or 0
        consumer.liveness.observe(tp, PartitionPosition(committed, consumer.processed_position(tp), lagging))
    # These wait for the broker, for a person, or for a record that runs alone: a restart would not help.
    for tp in (*consumer.off_log.unresolved, *consumer.quarantine.held_back):
        consumer.liveness.record_attempt(tp)


async def observe_lag(consumer: Consumer, work: Mapping[TP, PartitionWork]) -> dict[TP, PartitionLag]:
    """Return the lag of each partition by its last observed end. Raises the errors of aiokafka.

    Only partitions that lag are asked for the start of their log.
    """
    lagging = [tp for tp in consumer.lagging if tp in consumer.log_ends]
    starts = await consumer.earliest_offsets(*lagging) if lagging else {}
    behind = {tp: _position(consumer, tp, starts[tp] or 0) for tp in lagging if tp in starts}
    now = int(time.time() * 1000)
    return {
        tp: measure(behind.get(tp, LogPosition(end, 0, end)), work.get(tp, PartitionWork()), None, now)
        for tp, end in consumer.log_ends.items()
    }


def _position(consumer: Consumer, tp: TP, start: int) -> LogPosition:
    """Return the position of what is processed. It may have passed the end, which was observed before."""
    processed = consumer.processed_position(tp)
    return LogPosition(processed, start, max(consumer.log_ends[tp], processed))
