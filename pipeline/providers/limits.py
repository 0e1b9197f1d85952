"""How much may come of one webhook. What surrounds its parts is in every slice: a small body could become a huge one.

Meta puts up to 1,000 updates into one POST, and gateways a few.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline.errors import OversizeRecord
from pipeline.providers.base import Slice

MAX_PARTS: Final = 10_000
"""Messages, statuses and other parts of one webhook."""
MAX_SLICED_BYTES: Final = 8 * 1024 * 1024
"""Of all slices of one webhook."""


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
