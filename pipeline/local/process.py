"""Child processes that never outlive their parent, and servers that consist of one."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from pipeline.errors import PipelineError, UsageError
from pipeline.local.probe import port_free
from pipeline.local.startup import Startup, look

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def spawn(
    argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None, pass_fds: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start `argv` in a session of its own, its output appended to `log`. It inherits the descriptors `pass_fds`.

    On Linux the kernel kills the child when the thread that started it ends. That is set only for the main thread,
    which ends with the process.
    """
    tied = _LIBC is not None and threading.current_thread() is threading.main_thread()
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own commands
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=pass_fds,
            preexec_fn=_die_with(os.getpid()) if tied else None,  # noqa: PLW1509 - one call to libc
        )


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the child and all its descendants. Do nothing once the child has been waited for."""
    if process.poll() is None:
        os.killpg(process.pid, number)


def last_lines(log: Path, count: int, since: int = 0) -> list[str]:
    """Return the last `count` lines of a log after its first `since` bytes, read from its last 64 KiB."""
    if not log.is_file():
        return []
    size = log.stat().st_size
    with log.open("rb") as file:
        file.seek(max(since if since <= size else 0, size - 65_536))
        return file.read().decode(errors="replace").splitlines()[-count:]


def _die_with(parent: int) -> Callable[[], None]:
    def hook() -> None:
        assert _LIBC is not None
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)

    return hook


class Server(ABC):
    """A server that is one child process, with its data and its log in a directory of its own.

    Start it from the main thread (see `spawn`). In async code `launch()`, then `await to_thread(wait_ready)`.
    """

    name: str
    env: Mapping[str, str] | None = None
    """Environment of the process; None for ours."""
    stop_seconds = 10.0

    def __init__(self, data_dir: Path, log: Path | None = None) -> None:
        self.data_dir = data_dir.resolve()
        self.log = log or self.data_dir / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def argv(self) -> list[str]:
        """The command line."""

    @property
    @abstractmethod
    def ports(self) -> tuple[int, ...]:
        """All ports that it listens on."""

    @abstractmethod
    def prepare(self) -> None:
        """Write what the server needs before its start; harmless when repeated. Raise `UsageError`."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Return True if the server answers clients."""

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id. Raise `PipelineError` when it does not run."""
        if self._process is None or not self.running:
            raise PipelineError(f"{self.name} does not run")
        return self._process.pid

    def launch(self) -> None:
        """Start the process without waiting until it serves.

        Raise `PipelineError` when it runs already, `UsageError` when one of its ports is taken.
        """
        if self.running:
            raise PipelineError(f"{self.name} runs already")
        self._require_ports()
        self.prepare()
        self._process = spawn(self.argv, self.log, self.env)

    def _require_ports(self) -> None:
        """Raise `UsageError` if a port is taken: another server would answer instead."""
        if taken := [port for port in self.ports if not port_free("127.0.0.1", port)]:
            raise UsageError(f"port {taken[0]} ({self.name}) is taken: stop what listens there")

    def wait_ready(self) -> None:
        """Block until it serves. Raise `PipelineError` with the end of its log if it dies or stalls (`startup`)."""
        process = self._process
        start = Startup(lambda: look(process.pid if process else 0, self.log, self.ports))
        while not self.is_ready():
            if not self.running or start.stalled():
                self.kill()
                raise PipelineError("\n".join([f"{self.name} did not start:", *last_lines(self.log, 20)]))
            time.sleep(0.05)

    def start(self) -> None:
        """Start the process and block until it serves."""
        self.launch()
        self.wait_ready()

    def stop(self) -> None:
        """Stop the process with SIGTERM, and with SIGKILL after `stop_seconds`. Its data is kept."""
        if self._process is None:
            return
        signal_group(self._process, signal.SIGTERM)
        try:
            self._process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill the process with SIGKILL, as a crash."""
        if self._process is not None:
            signal_group(self._process, signal.SIGKILL)
            self._process.wait()
