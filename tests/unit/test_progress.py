"""Liveness by partition: what is stuck is found, and what only waits is left alone."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from pipeline.runtime.consumer import Consumer
from pipeline.runtime.gaps import Gaps
from pipeline.runtime.progress import Position, Progress

TP0, TP1 = TP("in", 0), TP("in", 1)
IDLE, WORKING, DONE = Position(5, 5, False), Position(5, 5, True), Position(5, 9, True)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _ages(*steps: tuple[float, Any]) -> dict[TP, float]:
    """What is known after steps at their times: a position is seen, a number is a try that is due in so long."""
    clock = Clock()
    progress = Progress(clock)
    for at, step in steps:
        clock.now = 1000.0 + at
        if isinstance(step, Position):
            progress.seen(TP0, step)
        elif step is not None:
            progress.tried(TP0, step)
    return progress.ages()


@pytest.mark.parametrize(
    ("steps", "age"),
    [
        (((0, WORKING), (50, WORKING), (90, None)), 90),
        (((0, WORKING), (50, 0.0), (90, None)), 40),
        (((0, WORKING), (50, 3600.0), (90, None)), 0),
        (((0, WORKING), (50, WORKING._replace(committed=6)), (90, None)), 40),
        (((0, IDLE), (500, IDLE), (510, WORKING), (520, None)), 20),
        (((0, DONE), (50, 0.0), (90, 0.0)), 90),
        (((0, DONE), (50, DONE._replace(committed=7)), (90, 0.0)), 40),
    ],
    ids=["stuck", "tried", "due later", "committed", "new work", "done but never committed", "committed a part"],
)
def test_how_long_nothing_was_done(steps: tuple[tuple[float, Any], ...], age: float) -> None:
    """A worker that does nothing any more would never be restarted, or one that waits for Redis again and again."""
    assert _ages(*steps) == {TP0: age}


def test_what_has_nothing_to_do_or_has_gone_has_no_age() -> None:
    """A quiet night, or a partition that another worker has now, would have a worker restarted."""
    assert _ages((0, WORKING), (50, IDLE), (900, None)) == {}
    progress = Progress(Clock())
    progress.seen(TP0, WORKING)
    progress.seen(TP1, WORKING)
    progress.keep({TP1})
    assert set(progress.ages()) == {TP1}


@pytest.mark.parametrize(
    ("committed", "taken", "finished", "ends", "behind"),
    [
        (5, 5, None, (5, 5), False),
        (5, 5, None, (5, 9), True),
        (None, None, None, (0, 9), True),
        (None, None, None, (9, 9), False),
        (5, 9, None, (9, 9), True),
        (5, 9, 9, (9, 9), True),
        (8, 8, 8, (9, 9), False),
    ],
    ids=["all done", "not fetched", "never committed", "emptied", "in hand", "not committed", "a marker at the end"],
)
def test_who_is_behind(
    committed: int | None, taken: int | None, finished: int | None, ends: tuple[int, int], behind: bool
) -> None:
    """A stuck partition would look idle, or the mark of a transaction like work that nobody does."""
    position, end = ends
    consumer: Any = object.__new__(Consumer)
    consumer.__dict__.update(
        app=SimpleNamespace(),
        progress=Progress(),
        gaps=Gaps(consumer),
        _committed_offset={TP0: committed},
        _read_offset={TP0: taken},
        _done={} if finished is None else {TP0: finished},
        _delivered={},
        assignment=lambda: {TP0},
        highwaters=lambda *_: asyncio.sleep(0, {TP0: end}),
        position=lambda _: asyncio.sleep(0, position),
        _is_changelog_tp=lambda _: False,
    )
    asyncio.run(consumer.observe())
    assert set(consumer.progress.ages()) == ({TP0} if behind else set())
