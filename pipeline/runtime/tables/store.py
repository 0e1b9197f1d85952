"""A table in a worker: Faust's table for recovery and placement, RocksDB and the changelog written by us."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import rocksdict
from faust.types import TP

from pipeline.errors import Unacknowledged
from pipeline.runtime.tables.fencing import OffsetRange, WriterFence
from pipeline.runtime.tables.views import TableRows, TableWrite

if TYPE_CHECKING:
    from pipeline.runtime.faust.app import PipelineApp

ROCKSDB = {
    "write_buffer_size": 8 << 20,
    "max_write_buffer_number": 2,
    "block_cache_size": 8 << 20,
    "max_open_files": 64,
}
"""Per partition. Faust's 64 MiB buffers and 2 GiB of cache, 48 times, would not fit in a worker."""
NOTHING_READ = -1


class TableStore:
    """The rows of one table, a RocksDB a partition. Faust recovers it from the changelog."""

    def __init__(self, app: PipelineApp, name: str, partitions: int, ttl: int) -> None:
        self._app = app
        self._writer = WriterFence()
        self._table: Any = app.Table(
            name,
            partitions=partitions,
            key_type=bytes,
            value_type=bytes,
            options={"ttl": ttl, **ROCKSDB},
        )

    @property
    def changelog(self) -> str:
        return str(self._table.changelog_topic_name)

    def partition(self, partition: int) -> TableRows:
        """The local rows of one partition."""
        store: TableRows = self._table.data._db_for_partition(partition)
        return store

    def apply(self, marks: Iterable[TableWrite], spans: Mapping[int, OffsetRange]) -> None:
        """Writes rows whose changelog records are acknowledged, each partition in one atomic batch with its offset.

        Raises `Unacknowledged` where somebody else has written in between: what that row remembers is not known here,
        so nothing that rests on it may be done, and only a new process reads it.
        """
        store: Any = self._table.data
        batches: dict[int, Any] = defaultdict(lambda: rocksdict.WriteBatch(raw_mode=True))
        for _, partition, key, value in marks:
            batches[partition].put(key, value)
        for partition, batch in batches.items():
            self._require_alone(partition, spans[partition])
            batch.put(store.offset_key, str(spans[partition].last).encode())
            store._db_for_partition(partition).write(batch)

    def _require_alone(self, partition: int, span: OffsetRange) -> None:
        recovery: Any = self._app.tables
        recovered = recovery.recovery.active_highwaters.get(TP(self.changelog, partition), NOTHING_READ)
        if not self._writer.accepts(self._app.consumer_generation_id, partition, span, recovered):
            raise Unacknowledged(f"another worker writes to {self.changelog}/{partition}: this one reads it anew")
