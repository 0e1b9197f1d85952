"""When each partition of commands had an owner that could work: all other time is time of failure.

A worker lists a partition (`GET /lag`) while its app is ready and has it: it was assigned, its position is set, and its
tables are recovered. It is asked ten times a second. A partition is without an owner from the fault that hits its owner
(SIGKILL, SIGSTOP), or else from the first question that is answered without it, to the first that is answered with it.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from aiohttp import ClientError, ClientSession, ClientTimeout

from chaos.plan import Act, Fault
from chaos.stack import Stack
from pipeline.topics.catalogue import COMMANDS_BULK, MESSENGER

EVERY: Final = 0.1
"""Seconds between two questions."""
TIMEOUT: Final = ClientTimeout(total=1)
STOPS: Final = frozenset({Act.SIGKILL, Act.SIGTERM, Act.FREEZE})
"""Faults from which on a worker does nothing, whatever it said before."""

Span = tuple[float, float]
"""A begin and an end, in seconds since the epoch."""


class Look(NamedTuple):
    """An answer of a worker: the time of the question, and the partitions in it; none without an answer."""

    at: float
    partitions: frozenset[int]


class Watch:
    """Asks all messengers of a stack.

    Attributes:
        looks: the answers by worker.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._asking: dict[str, asyncio.Task[None]] = {}
        self.looks: dict[str, list[Look]] = defaultdict(list)

    async def run(self) -> None:
        """Ask until it is cancelled. Each worker is asked by itself, since a frozen one does not answer."""
        async with ClientSession(timeout=TIMEOUT) as session, asyncio.TaskGroup() as tasks:
            while True:
                for name, url in self._stack.urls_of(MESSENGER).items():
                    if (asking := self._asking.get(name)) is None or asking.done():
                        self._asking[name] = tasks.create_task(self._ask(session, name, url))
                await asyncio.sleep(EVERY)

    async def _ask(self, session: ClientSession, name: str, url: str) -> None:
        at = time.time()
        self.looks[name].append(Look(at, await _listed(session, url)))


async def _listed(session: ClientSession, url: str) -> frozenset[int]:
    try:
        async with session.get(f"{url}/lag") as response:
            work: Mapping[str, object] = (await response.json()).get(MESSENGER, {})
    except (ClientError, OSError, ValueError):
        return frozenset()
    names = (name.rpartition("/") for name in work)
    return frozenset(int(partition) for topic, _, partition in names if topic == COMMANDS_BULK.name)


def owned(
    looks: Mapping[str, Sequence[Look]], faults: Iterable[tuple[float, Fault]], partition: int, during: Span
) -> list[Span]:
    """Return the spans in which a partition had an owner, in order and apart from each other."""
    stops: dict[str, list[float]] = defaultdict(list)
    for at, fault in faults:
        if fault.act in STOPS:
            stops[fault.target].append(at)
    spans = sorted(span for name, found in looks.items() for span in _listed_spans(found, stops[name], partition))
    return list(_within(_joined(spans), during))


def _listed_spans(looks: Sequence[Look], stops: Sequence[float], partition: int) -> Iterator[Span]:
    """Yield the time from each answer with the partition to the next question, or to a fault before it."""
    for look, following in pairwise(looks):
        if partition in look.partitions:
            fault = bisect_left(stops, look.at)
            until = stops[fault] if fault < len(stops) else following.at
            yield look.at, min(until, following.at)


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    begin = end = -1.0
    for first, last in spans:
        if first > end:
            if end > begin:
                yield begin, end
            begin, end = first, last
        end = max(end, last)
    if end > begin:
        yield begin, end


def _within(spans: Iterable[Span], during: Span) -> Iterator[Span]:
    for first, last in spans:
        begin, end = max(first, during[0]), min(last, during[1])
        if end > begin:
            yield begin, end
