"""The partition of a key: murmur2, as in the Java client and in every stage of the pipeline."""

from __future__ import annotations

from functools import lru_cache

from aiokafka.partitioner import murmur2


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key. Cached: the hash runs in Python and costs as much as a signature check."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)
