"""Replies in the middle of a campaign: how long each takes, and what goes before it."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from bench.broker import feed
from bench.commands import maker, somebody_else
from bench.isolation.other import since_due
from bench.sandbox_client import Sent
from bench.sends.site import Site, tenant_of
from pipeline.topics.catalogue import COMMANDS_INTERACTIVE

RATE: Final = 25.0
"""Replies per second of another number."""
SAME_RATE: Final = 5.0
"""Replies per second of the number that has a queue."""
FIRST: Final = 1_000_000_000
"""Number of the first reply, beyond those of all campaigns: a command's id follows from it."""
PATIENCE: Final = 120.0
_numbers: Final = count(FIRST, 1_000_000)


@dataclass(frozen=True, slots=True)
class Overtaken:
    """The replies of a number that has a queue.

    Attributes:
        waits: ms of each, from when it was due.
        bulk_before: bulk messages of the number that went in that time, of each.
    """

    waits: Sequence[float]
    bulk_before: Sequence[int]


def replies(place: Site, account: str, seconds: float) -> list[float]:
    """Send replies at a steady rate. Return the ms from when each was due to its message at the sandbox."""
    began, numbers, sent = _sent(place, account, seconds, RATE)
    arrived = {each.number: each.at for each in sent if each.number in numbers}
    return since_due(arrived, began, numbers.start, RATE)


def replies_of_the_crowded(place: Site, account: str, seconds: float) -> Overtaken:
    """Send replies of the number that has a queue, and count what goes before each of them."""
    began, numbers, sent = _sent(place, account, seconds, SAME_RATE)
    due = {number: began + place_ / SAME_RATE for place_, number in enumerate(numbers)}
    return overtaken(due, sent)


def overtaken(due: dict[int, float], sent: Sequence[Sent]) -> Overtaken:
    """Return the waits of the replies that were due then, among all messages of their number."""
    bulk = sorted(each.at for each in sent if each.number < FIRST)
    found = [(due[each.number], each.at) for each in sent if each.number in due]
    before = [bisect_left(bulk, at) - bisect_left(bulk, wanted) for wanted, at in found]
    return Overtaken([(at - wanted) * 1000 for wanted, at in found], before)


def _sent(place: Site, account: str, seconds: float, rate: float) -> tuple[float, range, list[Sent]]:
    """Send replies; return when the first was due, their numbers, and all messages of the number."""
    first = next(_numbers)
    numbers = range(first, first + int(seconds * rate))
    make = maker(tenant_of(account), account, recipient=somebody_else)
    began = asyncio.run(feed(place.lab.bootstrap, COMMANDS_INTERACTIVE.name, numbers, rate, make))
    return began, numbers, place.sandbox.wait_for(account, numbers, PATIENCE)
