"""Bytes on the disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def topic_bytes(kafka: Path, topic: str) -> int:
    """Return the bytes of a topic's segments on its broker."""
    return _sum(kafka.glob(f"**/{topic}-[0-9]*/*.log"))


def table_bytes(data_dir: Path, table: str) -> int:
    """Return the bytes of a table's RocksDB files, of all partitions."""
    return _sum(file for file in data_dir.glob(f"**/{table}-*.db/*") if file.is_file())


def _sum(files: Iterable[Path]) -> int:
    total = 0
    for file in files:
        try:
            total += file.stat().st_blocks * 512
        except FileNotFoundError:  # compacted meanwhile
            continue
    return total
