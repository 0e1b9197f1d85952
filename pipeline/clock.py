"""Time that passes while a process is stopped and its machine is suspended.

`time.monotonic` stands still while a machine is suspended, so that what is long over would look fresh afterwards.
"""

from __future__ import annotations

import time
from typing import Final, NamedTuple

_BOOTTIME: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Counts suspension on Linux; elsewhere the monotonic clock, and the wall clock beside it."""


class Moment(NamedTuple):
    """One moment by two clocks, in seconds.

    Attributes:
        running: since the machine was started.
        wall: unix seconds: counts what the first does not see, the pause of a virtual machine for one.
    """

    running: float
    wall: float


NEVER: Final = Moment(float("-inf"), float("-inf"))
"""Longer ago than anything."""


def now() -> Moment:
    return Moment(time.clock_gettime(_BOOTTIME), time.time())


def age(then: Moment, at: Moment | None = None) -> float:
    """Seconds from `then` until `at` (now), by the clock that counts more: what is doubtful is old."""
    at = at or now()
    return max(at.running - then.running, at.wall - then.wall)
