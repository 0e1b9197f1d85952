"""Start the services in order, keep them running, stop them in order."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, Protocol

from pipeline.local.child import MAX_DEATHS, Child, ChildEvent, ChildState
from pipeline.local.reload import Reloader
from pipeline.local.services import Service

POLL_INTERVAL: Final = 0.1
"""Seconds between two polls of the children."""
STOP_TIMEOUT: Final = 14.0
"""Seconds until all children are stopped, one less than documented."""
STOP_GRACE: Final = 2.0
"""Seconds to wait for one child before the next is signalled. It may take longer, until the stores are stopped."""
LAST_LINES: Final = 15


class Reporter(Protocol):
    """Receives the events of the stack."""

    def ready(self, service: Service, seconds: float) -> None: ...
    def slow(self, name: str, seconds: float, sign: str, log: Path) -> None: ...
    def died(self, name: str, why: str, log: Path, lines: Sequence[str], deaths: int) -> None: ...
    def gave_up(self, name: str, log: Path) -> None: ...
    def all_ready(self, seconds: float) -> None: ...
    def output(self, name: str, lines: Sequence[str]) -> None: ...
    def failed(self, name: str, lines: Sequence[str]) -> None: ...
    def stopping(self) -> None: ...
    def stopped(self, killed: Sequence[str], seconds: float) -> None: ...


class Supervisor:
    """Runs services until a signal, or until one of them dies too often.

    Everything happens in the thread that calls `run`, which must be the main thread: it handles the signals, and the
    children are tied to it (`pipeline.local.process.spawn`). With `follow` the reporter gets their output.
    `max_deaths` of one child within a minute end the stack; None is unlimited, for tests that kill on purpose.
    `reload` is given the children with your code, and replaces their processes when it changes.
    """

    def __init__(
        self,
        services: Sequence[Service],
        logs: Path,
        reporter: Reporter,
        *,
        follow: bool = False,
        max_deaths: int | None = MAX_DEATHS,
        reload: Callable[[Sequence[Child]], Reloader] | None = None,
    ) -> None:
        self._children = [Child(service, logs / f"{service.name}.log", max_deaths) for service in services]
        self._by_name = {child.name: child for child in self._children}
        self._reporter = reporter
        with_your_code = [child for child in self._children if child.service.your_code]
        self._reloader = reload(with_your_code) if reload else None
        self._follow = follow
        self._signals = 0
        self._wake = threading.Event()
        self._failed = False
        self._announced = False
        self._began = 0.0

    def run(self) -> int:
        """Block until everything has stopped; return the exit status."""
        self._began = time.monotonic()
        for child in self._children:
            child.log.begin()
            if child.failures:
                child.failures.begin()
        with self._handling_signals():
            try:
                while not self._signals and not self._failed:
                    self._tick()
                    self._wake.wait(POLL_INTERVAL)
            finally:
                self._stop()
        return 1 if self._failed else 0

    def _tick(self) -> None:
        for child in self._children:
            if child.state is ChildState.WAITING:
                self._start_if_possible(child)
            elif change := child.observe():
                self._changed(child, change)
            self._tend_log(child)
        if not self._announced and all(child.state is ChildState.READY for child in self._children):
            self._announced = True
            self._reporter.all_ready(time.monotonic() - self._began)
        if self._announced and self._reloader:
            self._reloader.tick()

    def _start_if_possible(self, child: Child) -> None:
        if self._signals or (self._reloader and not self._reloader.allows_start(child)):
            return
        if all(self._by_name[name].state is ChildState.READY for name in child.service.after):
            child.start()

    def _changed(self, child: Child, change: ChildEvent) -> None:
        if change is ChildEvent.READY:
            self._reporter.ready(child.service, child.seconds)
            return
        if change is ChildEvent.SLOW:
            self._reporter.slow(child.name, child.startup.seconds, child.startup.sign, child.log.path)
            return
        lines = child.last_lines(LAST_LINES)
        self._reporter.died(child.name, child.death_cause, child.log.path, lines, child.deaths)
        if child.exhausted:
            self._failed = True
            self._reporter.gave_up(child.name, child.log.path)

    def _tend_log(self, child: Child) -> None:
        if self._follow and (lines := child.log.new_lines()):
            self._reporter.output(child.name, lines)
        child.log.trim()
        if child.failures:
            if lines := child.failures.new_lines():
                self._reporter.failed(child.name, lines)
            child.failures.trim()

    def _stop(self) -> None:
        self._reporter.stopping()
        if self._reloader:
            self._reloader.close()
        began = time.monotonic()
        children = list(reversed(self._children))
        killed = _stop_all(children, lambda: self._signals > 1)
        for child in children:
            self._tend_log(child)
        self._reporter.stopped(killed, time.monotonic() - began)

    @contextmanager
    def _handling_signals(self) -> Iterator[None]:
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as it is under nohup
            numbers.append(signal.SIGHUP)
        before = {number: signal.signal(number, self._on_signal) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1
        self._wake.set()


def _stop_all(children: Sequence[Child], hurry: Callable[[], bool]) -> list[str]:
    """Stop `children` one after the other; return the names of those that had to be killed."""
    deadline = time.monotonic() + STOP_TIMEOUT
    killed: list[str] = []
    told: list[Child] = []
    for child in (child for child in children if child.running):
        if child.service.store:
            killed += _kill(told)
        child.terminate()
        told.append(child)
        last = child is children[-1]
        _wait_gone(child, deadline if last else min(deadline, time.monotonic() + STOP_GRACE), hurry)
    return killed + _kill(told)


def _wait_gone(child: Child, until: float, hurry: Callable[[], bool]) -> None:
    while child.running and time.monotonic() < until and not hurry():
        time.sleep(0.02)


def _kill(children: Sequence[Child]) -> list[str]:
    killed = [child for child in children if child.running]
    for child in killed:
        child.kill()
        child.reap()
    return [child.name for child in killed]
