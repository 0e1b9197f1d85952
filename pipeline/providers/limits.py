"""How much may come of one webhook. What surrounds its parts is in every slice: a small body could become a huge one.

Meta puts up to 1,000 updates into one POST, and gateways a few.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import orjson

from pipeline.errors import OversizeRecord
from pipeline.providers.base import Slice
from pipeline.topics.events.wire import WireEvent

MAX_PARTS: Final = 10_000
"""Messages, statuses and other parts of one webhook."""
MAX_SLICED_BYTES: Final = 8 * 1024 * 1024
"""Of all slices of one webhook."""

GROWTH: Final = 4
"""Times as many bytes as a webhook has that its events may take: each part is in its event twice."""
EVENT_BYTES: Final = 4 * 1024
"""For each event beside that: what surrounds it, and what it is known by."""


def require_parts(count: int) -> None:
    """Raises `OversizeRecord` for more parts than any provider sends at once."""
    if count > MAX_PARTS:
        raise OversizeRecord(f"a webhook of more than {MAX_PARTS} parts")


def bounded(slices: Iterable[Slice]) -> list[Slice]:
    """The slices, made one after the other. Raises `OversizeRecord` as soon as they are too much together."""
    made, size = list[Slice](), 0
    for each in slices:
        size += len(each.body)
        if size > MAX_SLICED_BYTES:
            raise OversizeRecord(f"the conversations of a webhook take more than {MAX_SLICED_BYTES} bytes")
        made.append(each)
    return made


def proportionate(events: Iterable[WireEvent], length: int) -> Iterator[WireEvent]:
    """The events of a webhook of so many bytes, made one after the other.

    Raises `OversizeRecord` as soon as they are far more than it was: some field is in each of them.
    """
    room = GROWTH * length
    for event in events:
        room += EVENT_BYTES - len(orjson.dumps(event.body))
        if room < 0:
            raise OversizeRecord(f"the events of a webhook take far more than its {length} bytes")
        yield event
