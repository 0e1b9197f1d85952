"""One service's process, through all its lives."""

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
from pipeline.local.startup import PATIENCE, Signs, Startup, look

REPORT_INTERVAL: Final = 30.0
"""How often it is said that a child is still starting."""
MAX_DEATHS: Final = 4
WINDOW: Final = 60.0
"""The fourth death within this many seconds is one too many, unless its owner says otherwise. Deaths before a life in
which work got on are forgotten: they were not in vain."""


class ChildState(Enum):
    WAITING = auto()
    """For the services that it starts after."""
    STARTING = auto()
    READY = auto()
    """Serving, or ended well where it was to end."""


class ChildEvent(Enum):
    """What has become of a child since it was last asked."""

    READY = auto()
    SLOW = auto()
    """Not ready for a while, and getting on."""
    DIED = auto()


class Child:
    """One service's process. Its owner asks it again and again; nothing happens by itself."""

    def __init__(self, service: Service, log: Path, max_deaths: int | None = MAX_DEATHS) -> None:
        self.service = service
        self.name = service.name
        self.log = LogFile(log)
        self.state = ChildState.WAITING
        self.seconds = 0.0
        """From its start until it was ready."""
        self.why = ""
        """What it last died of."""
        self.startup = Startup(self._look)
        self._process: subprocess.Popen[bytes] | None = None
        self._prepared = 0.0
        self._said = 0.0
        self._log_start = 0
        self._deaths: deque[float] = deque(maxlen=max_deaths)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def doomed(self) -> bool:
        """Whether it has died so often that starting it again would not help."""
        return len(self._deaths) == self._deaths.maxlen and self._deaths[-1] - self._deaths[0] <= WINDOW

    @property
    def deaths(self) -> int:
        """Deaths within the last minute."""
        return sum(time.monotonic() - death <= WINDOW for death in self._deaths)

    def start(self) -> None:
        self.state = ChildState.STARTING
        self._log_start = self.log.size()
        began = time.monotonic()
        self.service.prepare()
        self._prepared = time.monotonic() - began
        if self.service.progress is not None:
            self.service.progress.unlink(missing_ok=True)
        self._process = spawn(self.service.argv, self.log.path, self.service.env)
        self.startup, self._said = Startup(self._look), REPORT_INTERVAL

    def last_lines(self, count: int) -> list[str]:
        """The end of what it said in its last life."""
        return last_lines(self.log.path, count, self._log_start)

    def observe(self) -> ChildEvent | None:
        """What has become of it. After `DIED` it is waiting to be started again."""
        if self._process is None or self.state is ChildState.WAITING:
            return None
        if (status := self._process.poll()) is not None:
            return self._ended(status)
        return self._starting() if self.state is ChildState.STARTING else None

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def reap(self) -> None:
        """Blocks until a killed child is gone."""
        if self._process is not None:
            self._process.wait()

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
            return self._died(f"did nothing for {PATIENCE:.0f} s before it was ready and was killed")
        if self.startup.seconds > self._said:
            self._said += REPORT_INTERVAL
            return ChildEvent.SLOW
        return None

    def _look(self) -> Signs:
        return look(self.pid or 0, self.log.path, self.service.ports)

    def _became_ready(self) -> ChildEvent:
        self.state = ChildState.READY
        self.seconds = self._prepared + self.startup.seconds
        return ChildEvent.READY

    def _died(self, why: str) -> ChildEvent:
        self.state = ChildState.WAITING
        self.why = why
        if self.service.progress is not None and self.service.progress.exists():
            self._deaths.clear()
        self._deaths.append(time.monotonic())
        return ChildEvent.DIED


def _describe(status: int) -> str:
    if status >= 0:
        return f"ended with exit status {status}"
    return f"was killed by {signal.Signals(-status).name}"
