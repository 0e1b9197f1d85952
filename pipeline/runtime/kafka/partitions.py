"""Which partition a key belongs to: murmur2, as the Java client and every stage of the pipeline have it."""

from __future__ import annotations

from functools import lru_cache

from aiokafka.partitioner import murmur2


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """Kept for the keys of late: the hash is computed in Python and costs as much as a signature."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)
