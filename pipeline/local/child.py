"""The process of one service, through all its restarts."""

from __future__ import annotations

import signal
import subprocess
import time
from collections import deque
from enum import Enum, auto
from pathlib import Path
from typing import Final

from pipeline.local.logs import LogFile
from pipeline.local.process import last_lines, signal_group, spawn
from pipeline.local.services import Service
from pipeline.local.startup import STALL_TIMEOUT, Observation, Startup, look

REPORT_INTERVAL: Final = 30.0
"""Seconds between two reports that a child is still starting."""
MAX_DEATHS: Final = 4
DEATH_WINDOW: Final = 60.0
"""Seconds. A child that dies `MAX_DEATHS` times within this window is given up. Deaths before a run that made progress
do not count."""


class ChildState(Enum):
    WAITING = auto()
    """For the services in `after`."""
    STARTING = auto()
    READY = auto()
    """It serves, or it has ended with status 0 if it is meant to end."""
    RETIRING = auto()
    """It ends, because another process is about to take its place."""


class ChildEvent(Enum):
    """An event of a child since the last look."""

    READY = auto()
    SLOW = auto()
    """It is still starting, and makes progress."""
    DIED = auto()


class Child:
    """The process of one service. Its owner polls `observe`; there is no thread."""

    def __init__(self, service: Service, log: Path, max_deaths: int | None = MAX_DEATHS) -> None:
        self.service = service
        self.name = service.name
        self.log = LogFile(log)
        self.failures = LogFile(service.failures) if service.failures else None
        self.state = ChildState.WAITING
        self.seconds = 0.0
        """Seconds from its start until it was ready."""
        self.death_cause = ""
        """The reason of its last death."""
        self.startup = Startup(self._look)
        self._process: subprocess.Popen[bytes] | None = None
        self._prepared = 0.0
        self._reported_at = 0.0
        self._log_start = 0
        self._deaths: deque[float] = deque(maxlen=max_deaths)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process id; None while it does not run."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def exhausted(self) -> bool:
        """True if it has died too often to be started again."""
        return len(self._deaths) == self._deaths.maxlen and self._deaths[-1] - self._deaths[0] <= DEATH_WINDOW

    @property
    def deaths(self) -> int:
        """Number of deaths within the last minute."""
        return sum(time.monotonic() - death <= DEATH_WINDOW for death in self._deaths)

    def start(self) -> None:
        began = time.monotonic()
        self.service.prepare()
        self._begin(time.monotonic() - began)
        self._process = spawn(self.service.argv, self.log.path, self.service.env)

    def adopt(self, process: subprocess.Popen[bytes], prepared: float) -> None:
        """Take a process that is about to run as its own. It took `prepared` seconds to prepare it."""
        self._begin(prepared)
        self._process = process

    def retire(self) -> None:
        """Let the process end, if it runs. That is no death; `adopt` gives it the next one."""
        self.state = ChildState.RETIRING
        self.terminate()

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines of its log since its last start."""
        return last_lines(self.log.path, count, self._log_start)

    def observe(self) -> ChildEvent | None:
        """Return the event since the last look. After `DIED` it waits to be started again."""
        if self._process is None or self.state in (ChildState.WAITING, ChildState.RETIRING):
            return None
        if (status := self._process.poll()) is not None:
            return self._ended(status)
        return self._starting() if self.state is ChildState.STARTING else None

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def reap(self) -> None:
        """Block until a killed child is gone."""
        if self._process is not None:
            self._process.wait()

    def _begin(self, prepared: float) -> None:
        self.state = ChildState.STARTING
        self._log_start = self.log.size()
        self._prepared = prepared
        if self.service.progress is not None:
            self.service.progress.unlink(missing_ok=True)
        self.startup, self._reported_at = Startup(self._look), REPORT_INTERVAL

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            signal_group(self._process, number)

    def _ended(self, status: int) -> ChildEvent | None:
        if self.service.ready is None and status == 0:
            return self._became_ready() if self.state is ChildState.STARTING else None
        return self._died(_describe(status))

    def _starting(self) -> ChildEvent | None:
        if self.service.ready is not None and self.service.ready():
            return self._became_ready()
        if self.startup.stalled() and not (self.service.alive is not None and self.service.alive()):
            self.kill()
            self.reap()
            return self._died(f"did nothing for {STALL_TIMEOUT:.0f} s before it was ready and was killed")
        if self.startup.seconds > self._reported_at:
            self._reported_at += REPORT_INTERVAL
            return ChildEvent.SLOW
        return None

    def _look(self) -> Observation:
        return look(self.pid or 0, self.log.path, self.service.ports)

    def _became_ready(self) -> ChildEvent:
        self.state = ChildState.READY
        self.seconds = self._prepared + self.startup.seconds
        return ChildEvent.READY

    def _died(self, why: str) -> ChildEvent:
        self.state = ChildState.WAITING
        self.death_cause = why
        if self.service.progress is not None and self.service.progress.exists():
            self._deaths.clear()
        self._deaths.append(time.monotonic())
        return ChildEvent.DIED


def _describe(status: int) -> str:
    if status >= 0:
        return f"ended with exit status {status}"
    return f"was killed by {signal.Signals(-status).name}"
