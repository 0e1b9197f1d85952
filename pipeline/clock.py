"""Time that also passes while the process is stopped or its machine is suspended.

`time.monotonic` does not count suspension, so an old moment would look recent afterwards.
"""

from __future__ import annotations

import time
from typing import Final, NamedTuple

_BOOTTIME: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""The clock that counts suspension on Linux; elsewhere the monotonic clock, with the wall clock beside it."""


class Moment(NamedTuple):
    """A moment by two clocks, in seconds.

    Attributes:
        running: since the machine was started.
        wall: unix seconds; counts what `running` does not, such as the pause of a virtual machine.
    """

    running: float
    wall: float


NEVER: Final = Moment(float("-inf"), float("-inf"))
"""A moment before all others."""


def now() -> Moment:
    return Moment(time.clock_gettime(_BOOTTIME), time.time())


def age(then: Moment, at: Moment | None = None) -> float:
    """Return seconds from `then` until `at` (now), by the clock that counts more: in doubt a moment is old."""
    at = at or now()
    return max(at.running - then.running, at.wall - then.wall)


_STEADY_OFFSET: Final = time.time() - time.monotonic()


def steady() -> float:
    """Return unix seconds by a clock that never jumps while this process runs: as of its start, plus what passed."""
    return time.monotonic() + _STEADY_OFFSET
