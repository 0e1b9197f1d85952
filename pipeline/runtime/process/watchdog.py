"""Ends a process whose event loop is blocked: it answers nobody, and no timeout of its own can end what blocks it.

A thread compares how far the loop's heartbeat has come. It counts its own ticks and not the clock, so a process that
was suspended is not blamed for the time. A C extension that never releases the interpreter's lock stops that thread
too; then a timer of processor time ends the process, which stands still while the process is suspended.
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

TICKS: Final = 20
"""Looks at the heartbeat in the time after which the loop counts as blocked."""
LOG_SECONDS: Final = 5.0
"""In which the stacks must be written: whatever blocks the loop may also hold a lock of the log."""
FRAMES: Final = 60
"""Innermost calls of a thread that are told."""


class Heartbeat:
    """Counts looks since a loop last turned. No thread, no clock.

    Args:
        ticks: looks in a row without a beat after which the loop is blocked.
    """

    def __init__(self, ticks: int = TICKS) -> None:
        self._ticks = ticks
        self._beats = self._seen = self._missed = 0

    def beat(self) -> None:
        """The loop turns."""
        self._beats += 1

    def blocked(self) -> bool:
        """Looks once. Whether too many looks have found no beat."""
        if self._beats != self._seen:
            self._seen, self._missed = self._beats, 0
        else:
            self._missed += 1
        return self._missed >= self._ticks


class Watchdog:
    """Watches the running loop.

    Args:
        seconds: after which it is blocked; 0: never.
        end: called in the watching thread; it must end the process.
    """

    def __init__(self, seconds: float, end: Callable[[], object]) -> None:
        self._seconds = seconds
        self._end = end
        self._heartbeat = Heartbeat()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begins to watch. Call it in the loop, in the main thread."""
        if self._seconds:
            if hasattr(signal, "SIGVTALRM"):
                faulthandler.register(signal.SIGVTALRM, all_threads=True, chain=True)
            _limit_processor_time(2 * self._seconds)
            self._beat(asyncio.get_running_loop())
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        _limit_processor_time(0)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._heartbeat.beat()
        if not self._stopped.is_set():
            loop.call_later(self._seconds / TICKS / 2, self._beat, loop)

    def _watch(self) -> None:
        while not self._stopped.wait(self._seconds / TICKS):
            _limit_processor_time(2 * self._seconds)
            if self._heartbeat.blocked():
                self._bark()
                return

    def _bark(self) -> None:
        faulthandler.dump_traceback_later(LOG_SECONDS, exit=True)
        log.critical("event_loop_blocked", seconds=self._seconds, threads=stacks())
        self._end()


def stacks() -> dict[str, list[str]]:
    """Calls of each thread, the innermost last: file, line and function; no values and no source."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    found = {number: traceback.walk_stack(frame) for number, frame in sys._current_frames().items()}
    return {
        names.get(number, str(number)): [_place(*place) for place in islice(walk, FRAMES)][::-1]
        for number, walk in found.items()
    }


def _place(frame: FrameType, line: int) -> str:
    return f"{frame.f_code.co_filename}:{line} {frame.f_code.co_name}"


def _limit_processor_time(seconds: float) -> None:
    """From now on; 0: without limit."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
