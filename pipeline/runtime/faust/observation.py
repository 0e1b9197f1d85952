"""Observes where the partitions of a consumer stand, for the liveness probe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.runtime.process.liveness import PartitionPosition

if TYPE_CHECKING:
    from pipeline.runtime.faust.consumer import Consumer


async def observe_positions(consumer: Consumer) -> None:
    """Compare the positions of each partition with the end of its log, as the broker gives it.

    Raises the errors of aiokafka while the broker does not answer.
    """
    assigned = {tp for tp in consumer.assignment() if not consumer._is_changelog_tp(tp)}
    consumer.liveness.retain(assigned)
    for tp, end in (await consumer.highwaters(*assigned)).items():
        read = consumer._read_offset[tp] or 0
        # The log may end after offsets without a record: transaction markers, compacted records.
        lagging = consumer.has_uncommitted(tp) or (end > read and end > (await consumer.position(tp) or 0))
        committed = consumer._committed_offset[tp] or 0
        consumer.liveness.observe(tp, PartitionPosition(committed, consumer.processed_position(tp), lagging))
    # These wait for the broker, for a person, or for a record that runs alone: a restart would not help.
    for tp in (*consumer.off_log.unresolved, *consumer.quarantine.held_back):
        consumer.liveness.record_attempt(tp)
