"""What both sides of `test_loss_paths` know: the ways of losing a record, their topics, and what a record asks for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final, TypedDict

import orjson

from pipeline.topics.catalogue import Topic, changelog, dead_letters

ROWS: Final = 4000
"""Rows that one record of `flush` writes to a table: a quarter of a second of a producer's work. A commit takes a few
milliseconds."""
ROW: Final = b"x" * 1000
TABLE: Final = "rows"

UNFINISHED, RAISED, BATCH, REFUSED, FLUSH, CANCELLED = (
    "unfinished",
    "raised",
    "batch",
    "refused",
    "flush",
    "cancelled",
)
PATHS: Final = (UNFINISHED, RAISED, BATCH, REFUSED, FLUSH, CANCELLED)
"""L1 to L6."""


class Order(TypedDict, total=False):
    """What is to be done with a record.

    Attributes:
        id: what it is known by in the output.
        do: `raise`, or `rows` (the table's rows are written). Else it is copied.
        until: a file that is waited for before.
        began: a file that is written when it is first seen.
        text: makes it larger.
    """

    id: str
    do: str
    until: str
    began: str
    text: str


def order_of(value: bytes | None) -> Order:
    order: Order = orjson.loads(value or b"")
    if "began" in order:
        Path(order["began"]).touch()
    return order


def held(order: Order) -> bool:
    return "until" in order and not Path(order["until"]).exists()


def source(name: str, path: str) -> str:
    return f"{name}-{path}.in"


def sink(name: str, path: str) -> str:
    return f"{name}-{path}.out"


def topics(name: str) -> list[Topic]:
    """The topics of one side."""
    plain = [make(name, path) for path in PATHS for make in (source, sink)]
    letters = [dead_letters(f"{name}-{path}") for path in PATHS]
    return [*(Topic(each, "key", "a test's") for each in plain), *letters, changelog(name, TABLE, timedelta(hours=1))]
