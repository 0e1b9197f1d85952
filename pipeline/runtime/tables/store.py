"""A table's rows in a worker. Faust's table recovers and places them; we write RocksDB and the changelog ourselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import rocksdict
from faust.types import TP

from pipeline.errors import WriterFenced
from pipeline.runtime.tables.fencing import OffsetRange, WriterFence
from pipeline.runtime.tables.views import TableRows, TableWrite

ROCKSDB = {
    "write_buffer_size": 8 << 20,
    "max_write_buffer_number": 2,
    "block_cache_size": 8 << 20,
    "max_open_files": 64,
}
"""Options of the database of one partition. Faust's 64 MiB buffers and 2 GiB cache, 48 times, would exceed a worker."""


class TableStore:
    """The rows of one table, one RocksDB per partition.

    Args:
        table: Faust's table.
        recovered: returns the last changelog offset that recovery read of a partition, -1 for none.
        generation: returns the group generation of this worker.
    """

    def __init__(self, table: Any, recovered: Callable[[TP], int], generation: Callable[[], int]) -> None:
        self._table = table
        self._recovered = recovered
        self._generation = generation
        self._fence = WriterFence()

    @property
    def changelog(self) -> str:
        return str(self._table.changelog_topic_name)

    def partition(self, partition: int) -> TableRows:
        """Return the local rows of one partition."""
        rows: TableRows = self._table.data._db_for_partition(partition)
        return rows

    def scan(self, partition: int, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Return the local rows of one partition from the key `start` on, in the order of their keys."""
        rows: Any = self._table.data._db_for_partition(partition).iter()
        rows.seek(start)
        while rows.valid():
            yield rows.key(), rows.value()
            rows.next()

    def apply(self, writes: Iterable[TableWrite], ranges: Mapping[int, OffsetRange]) -> None:
        """Store rows that the changelog has, each partition in one atomic batch with its changelog offset.

        Raises `WriterFenced` if another worker wrote in between. Its rows are not known here, so no work may rest on
        this table until a new process has read them.
        """
        store: Any = self._table.data
        batches: dict[int, Any] = defaultdict(lambda: rocksdict.WriteBatch(raw_mode=True))
        for _, partition, key, value in writes:
            if value:
                batches[partition].put(key, value)
            else:
                batches[partition].delete(key)
        for partition, batch in batches.items():
            self._require_sole_writer(partition, ranges[partition])
            batch.put(store.offset_key, str(ranges[partition].last).encode())
            store._db_for_partition(partition).write(batch)

    def _require_sole_writer(self, partition: int, written: OffsetRange) -> None:
        recovered = self._recovered(TP(self.changelog, partition))
        if not self._fence.accepts(self._generation(), partition, written, recovered):
            raise WriterFenced(f"another worker writes to {self.changelog}/{partition}: this one reads it anew")
