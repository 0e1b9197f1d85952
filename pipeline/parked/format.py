"""Parked records as a table for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

import orjson

from pipeline.lag.format import age, table
from pipeline.parked.find import ParkedKey

_HEADING: Final = ("APP", "TENANT", "KEY", "RECORDS", "SIZE", "OLDEST", "STATE")
_ANY: Final = "(several)"
"""Shown for the queue of a tenant's backlog, which has records of many keys."""
_UNITS: Final = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


def as_table(queues: Collection[ParkedKey]) -> Iterator[str]:
    """Yield a table with one line per key, and the sums."""
    if queues:
        yield from table(_HEADING, map(_cells, queues), left=3)
    records, total = sum(queue.records for queue in queues), sum(queue.bytes for queue in queues)
    yield f"parked: {records:,} records of {len(queues):,} keys, {size(total)}"


def as_json(queues: Collection[ParkedKey]) -> Iterator[str]:
    """Yield one JSON object per key."""
    return (orjson.dumps(queue._asdict()).decode() for queue in queues)


def size(number: int) -> str:
    """Return a number of bytes for people: `12 MiB`."""
    size, unit = next(((size, unit) for size, unit in _UNITS if number >= size), (1, "B"))
    return f"{number / size:.{1 if unit != 'B' and number < 10 * size else 0}f} {unit}"


def state(queue: ParkedKey) -> str:
    """Return what becomes of a queue next."""
    if queue.held_seconds is not None:
        return f"held, next try in {age(queue.held_seconds)}" + (f": {queue.cause}" if queue.cause else "")
    return "in work" if queue.loaded else "waits for its turn"


def _cells(queue: ParkedKey) -> tuple[str, ...]:
    numbers = f"{queue.records:,}", size(queue.bytes), age(queue.oldest_seconds)
    return queue.app, queue.tenant, queue.key or _ANY, *numbers, state(queue)
