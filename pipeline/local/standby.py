"""A worker process on standby, as its parent sees it (`pipeline.local.turn` is its own side)."""

from __future__ import annotations

import signal
import socket
from contextlib import suppress
from pathlib import Path

from pipeline.local.process import signal_group, spawn
from pipeline.local.services import Service
from pipeline.local.turn import LOAD, LOADED, RUN


class Standby:
    """The process that will replace the one of a service. It begins to import the pipeline at once, and then waits."""

    def __init__(self, service: Service, log: Path) -> None:
        self._socket, theirs = socket.socketpair()
        self._socket.setblocking(False)
        self._said = b""
        with theirs:
            argv = [*service.argv, "--standby", str(theirs.fileno())]
            self.process = spawn(argv, log, service.env, pass_fds=(theirs.fileno(),))

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def load(self) -> None:
        """Let it import the code."""
        self._tell(LOAD)

    def failure(self) -> str | None:
        """Return why the code can't be loaded, in one line; empty once it is loaded, None as long as it is open."""
        ended = self._read()
        line, end, _ = self._said.decode(errors="replace").partition("\n")
        if end:
            return "" if line == LOADED else line.partition(" ")[2]
        return f"its process ended with exit status {self.process.wait()}" if ended else None

    def run(self) -> None:
        """Let it run. Its process is the caller's from now on."""
        self._tell(RUN)
        self._socket.close()

    def close(self) -> None:
        """End it. It has begun nothing that an end could break."""
        self._socket.close()
        signal_group(self.process, signal.SIGKILL)
        self.process.wait()

    def _tell(self, word: str) -> None:
        with suppress(OSError):  # it has ended: `failure` says so, or the supervisor sees it
            self._socket.sendall(f"{word}\n".encode())

    def _read(self) -> bool:
        """Read what it has said; return True if it can say no more."""
        try:
            while part := self._socket.recv(4096):
                self._said += part
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True
