"""Ends a process whose event loop is blocked: it answers no request, and no asyncio timeout can end what blocks it.

A thread checks whether the loop's heartbeat goes on. It counts its own checks and not the clock, so the time for which
a process was suspended does not count. A C extension that never releases the interpreter's lock stops that thread too.
Then a timer of CPU time ends the process; it does not run while the process is suspended.
"""

from __future__ import annotations

import asyncio
import faulthandler
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from itertools import islice
from types import FrameType
from typing import Final

from pipeline.logging import get_logger

log = get_logger(__name__)

CHECKS_PER_TIMEOUT: Final = 20
"""Checks of the heartbeat within the time after which the loop counts as blocked."""
LOG_TIMEOUT: Final = 5.0
"""Timeout for logging the stacks, in seconds. The code that blocks the loop may also hold a lock of the log."""
MAX_FRAMES: Final = 60
"""Logged frames of each thread, innermost last."""


class Heartbeat:
    """Counts checks since the loop's last iteration. No thread, no clock.

    Args:
        checks: consecutive checks without a beat after which the loop is blocked.
    """

    def __init__(self, checks: int = CHECKS_PER_TIMEOUT) -> None:
        self._checks = checks
        self._beats = self._seen = self._missed = 0

    def beat(self) -> None:
        """Record an iteration of the loop."""
        self._beats += 1

    def blocked(self) -> bool:
        """Check once; return True if too many checks have found no beat."""
        if self._beats != self._seen:
            self._seen, self._missed = self._beats, 0
        else:
            self._missed += 1
        return self._missed >= self._checks


class Watchdog:
    """Watches the running event loop.

    Args:
        seconds: time without an iteration after which the loop counts as blocked; 0: never.
        end: called in the watching thread; must end the process.
    """

    def __init__(self, seconds: float, end: Callable[[], object]) -> None:
        self._seconds = seconds
        self._end = end
        self._heartbeat = Heartbeat()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Start to watch. Call it in the loop, in the main thread."""
        if self._seconds:
            if hasattr(signal, "SIGVTALRM"):
                faulthandler.register(signal.SIGVTALRM, all_threads=True, chain=True)
            _limit_cpu_time(2 * self._seconds)
            self._beat(asyncio.get_running_loop())
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        _limit_cpu_time(0)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._heartbeat.beat()
        if not self._stopped.is_set():
            loop.call_later(self._seconds / CHECKS_PER_TIMEOUT / 2, self._beat, loop)

    def _watch(self) -> None:
        while not self._stopped.wait(self._seconds / CHECKS_PER_TIMEOUT):
            _limit_cpu_time(2 * self._seconds)
            if self._heartbeat.blocked():
                self._end_process()
                return

    def _end_process(self) -> None:
        faulthandler.dump_traceback_later(LOG_TIMEOUT, exit=True)
        log.critical("event_loop_blocked", detail="the process ends", seconds=self._seconds, threads=stacks())
        self._end()


def stacks() -> dict[str, list[str]]:
    """Return the frames of each thread, innermost last: file, line and function; no values and no source."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    found = {number: traceback.walk_stack(frame) for number, frame in sys._current_frames().items()}
    return {
        names.get(number, str(number)): [_format_frame(*place) for place in islice(walk, MAX_FRAMES)][::-1]
        for number, walk in found.items()
    }


def _format_frame(frame: FrameType, line: int) -> str:
    return f"{frame.f_code.co_filename}:{line} {frame.f_code.co_name}"


def _limit_cpu_time(seconds: float) -> None:
    """Send SIGVTALRM after this much CPU time; 0: never."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
