"""The benchmark's processes: spawned, waited for, and ended with it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from pipeline.errors import PipelineError
from pipeline.local.process import last_lines, signal_group, spawn

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 20.0
ROOT: Final = Path(__file__).parents[1]


def clean_environment() -> dict[str, str]:
    """This process's variables without the user's settings of the pipeline, and with the checkout on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


class Process:
    """One process, with its output in a log."""

    def __init__(self, name: str, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.log = log
        self._popen = spawn(argv, log, clean_environment() | dict(env or {}))

    def wait_until(self, ready: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Return when `ready`. Raise `PipelineError` with its last words when it has ended or is too slow."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self._popen.poll() is not None or time.monotonic() > deadline:
                raise self.failed("is not ready")
            time.sleep(0.05)

    def wait(self, seconds: float) -> None:
        """Return when it has ended well. Raise `PipelineError` otherwise."""
        try:
            status = self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise self.failed(f"did not end within {seconds:.0f} s") from None
        if status:
            raise self.failed(f"ended with status {status}")

    @property
    def is_running(self) -> bool:
        return self._popen.poll() is None

    def require_running(self) -> None:
        """Raise `PipelineError` with its last words when it has ended."""
        if not self.is_running:
            raise self.failed("has ended")

    def kill(self) -> None:
        """SIGKILL, as a machine that fails."""
        signal_group(self._popen, signal.SIGKILL)
        self._popen.wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when that does not end it."""
        signal_group(self._popen, signal.SIGTERM)
        try:
            self._popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            signal_group(self._popen, signal.SIGKILL)
            self._popen.wait()

    def cpu_seconds(self) -> float:
        times = psutil.Process(self._popen.pid).cpu_times()
        return float(times.user + times.system)

    def resident(self) -> float:
        """Return its resident memory, in MiB."""
        return float(psutil.Process(self._popen.pid).memory_info().rss) / 2**20

    def failed(self, what: str) -> PipelineError:
        return PipelineError("\n".join([f"{self.name} {what}:", *last_lines(self.log, 20)]))


@contextmanager
def running(*processes: Callable[[], Process]) -> Iterator[list[Process]]:
    """Start processes one behind the other; stops them the other way round, whatever happens."""
    started: list[Process] = []
    try:
        for start in processes:
            started.append(start())
        yield started
    finally:
        for process in reversed(started):
            process.stop()
