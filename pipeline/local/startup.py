"""Whether a process that is not ready yet gets on with its start, however slow the machine is.

A start is given up for standing still, not for taking long: killed and started again, a slow one would never be ready.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

PATIENCE: Final = 60.0
"""Seconds without a sign of progress after which a start has failed."""
WORK: Final = 3.0
"""Seconds of processor time that are a sign. What only waits uses less in `PATIENCE`."""

clock = time.monotonic


class Signs(NamedTuple):
    """What a process shows from outside.

    Attributes:
        log: bytes that it has logged.
        ports: how many of its ports are open.
        work: seconds of processor time that it has used.
    """

    log: int
    ports: int
    work: float


class Startup:
    """One start, looked at again and again.

    Attributes:
        sign: the last sign of progress, for people; empty before there was one.
    """

    def __init__(self, look: Callable[[], Signs]) -> None:
        self.sign = ""
        self._look = look
        self._began = self._moved = clock()
        self._seen = Signs(0, 0, 0.0)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return clock() - self._began

    def stalled(self) -> bool:
        """Whether it has shown no sign of progress for too long."""
        now = self._look()
        if sign := _progress(self._seen, now):
            self.sign, self._seen, self._moved = sign, now, clock()
        return clock() - self._moved > PATIENCE


def _progress(before: Signs, now: Signs) -> str:
    if now.ports > before.ports:
        return "a port is open"
    if now.log > before.log:
        return "its log grows"
    return "it uses the processor" if now.work - before.work >= WORK else ""


def look(pid: int, log: Path, ports: Sequence[int]) -> Signs:
    """The signs of a process at this moment; those of one that has just ended are none."""
    size = log.stat().st_size if log.exists() else 0
    return Signs(size, sum(map(_open, ports)), _work(pid))


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
