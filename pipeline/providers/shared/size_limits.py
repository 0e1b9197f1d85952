"""Limits of what one webhook may become. Every slice repeats the envelope, so a small body could become huge.

Meta sends up to 1,000 updates in one POST, and gateways a few.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import orjson

from pipeline.errors import OversizeRecord
from pipeline.providers.base import Slice
from pipeline.topics.events.wire import ParsedEvent

MAX_PARTS: Final = 10_000
"""Maximum number of parts (messages, statuses and others) of one webhook."""
MAX_SLICED_BYTES: Final = 8 * 1024 * 1024
"""Maximum bytes of all slices of one webhook."""

MAX_GROWTH: Final = 4
"""Maximum size of a webhook's events, as a multiple of its own size. Each part is in its event twice."""
EVENT_BYTES: Final = 4 * 1024
"""Bytes that each event may have beyond this: its envelope and its ids."""


def require_parts(count: int) -> None:
    """Raise `OversizeRecord` for more parts than any provider sends at once."""
    if count > MAX_PARTS:
        raise OversizeRecord(f"a webhook of more than {MAX_PARTS} parts")


def limit_slices(slices: Iterable[Slice]) -> list[Slice]:
    """Return the slices. Raises `OversizeRecord` as soon as they are too large together."""
    made, size = list[Slice](), 0
    for each in slices:
        size += len(each.body)
        if size > MAX_SLICED_BYTES:
            raise OversizeRecord(f"the conversations of a webhook take more than {MAX_SLICED_BYTES} bytes")
        made.append(each)
    return made


def limit_events(events: Iterable[ParsedEvent], length: int) -> Iterator[ParsedEvent]:
    """Yield the events of a webhook of `length` bytes.

    Raises `OversizeRecord` as soon as they are much larger than the webhook, because some field is repeated in each of
    them.
    """
    room = MAX_GROWTH * length
    for event in events:
        room += EVENT_BYTES - len(orjson.dumps(event.body))
        if room < 0:
            raise OversizeRecord(f"the events of a webhook take far more than its {length} bytes")
        yield event
