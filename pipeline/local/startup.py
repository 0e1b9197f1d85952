"""Detect whether a starting process makes progress, however slow the machine is.

A start fails if it stalls, not if it takes long: a slow process that is killed and started again is never ready.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

STALL_TIMEOUT: Final = 60.0
"""Seconds without progress after which a start has failed."""
MIN_WORK: Final = 3.0
"""Seconds of processor time that count as progress. A process that only waits uses less within `STALL_TIMEOUT`."""

clock = time.monotonic


class Observation(NamedTuple):
    """Observations of a process from outside.

    Attributes:
        log: bytes of its log.
        ports: number of its ports that are open.
        work: seconds of processor time.
    """

    log: int
    ports: int
    work: float


class Startup:
    """One start, observed repeatedly.

    Attributes:
        sign: the last progress, for the report; empty before the first.
    """

    def __init__(self, look: Callable[[], Observation]) -> None:
        self.sign = ""
        self._look = look
        self._began = self._moved = clock()
        self._seen = Observation(0, 0, 0.0)

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return clock() - self._began

    def stalled(self) -> bool:
        """Return True if there was no progress for too long."""
        now = self._look()
        if sign := _progress(self._seen, now):
            self.sign, self._seen, self._moved = sign, now, clock()
        return clock() - self._moved > STALL_TIMEOUT


def _progress(before: Observation, now: Observation) -> str:
    if now.ports > before.ports:
        return "a port is open"
    if now.log > before.log:
        return "its log grows"
    return "it uses the processor" if now.work - before.work >= MIN_WORK else ""


def look(pid: int, log: Path, ports: Sequence[int]) -> Observation:
    """Return the present observations of a process; zeros for one that has just ended."""
    size = log.stat().st_size if log.exists() else 0
    return Observation(size, sum(map(_open, ports)), _work(pid))


def _open(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 0.5):
            return True
    except OSError:
        return False


def _work(pid: int) -> float:
    import psutil  # noqa: PLC0415 - an extra that production does not install

    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
