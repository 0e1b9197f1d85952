"""The rows of parked records, counted in the files of a worker that is gone."""

from __future__ import annotations

from pathlib import Path

import rocksdict

from pipeline.runtime.parking.rows import RECORD


def count_records(data_dir: Path) -> int:
    """Return the number of parked records in all partitions. No process may have the tables open."""
    return sum(_count(path) for path in data_dir.glob("**/parked-*.db"))


def _count(path: Path) -> int:
    access = rocksdict.AccessType.read_only()
    rows = rocksdict.Rdict(str(path), rocksdict.Options(raw_mode=True), access_type=access).iter()
    rows.seek(RECORD)
    count = 0
    while rows.valid() and rows.key().startswith(RECORD):
        count += 1
        rows.next()
    return count
