"""A worker on standby: it has imported the pipeline, and waits for its turn before it imports your code and runs.

It is told so through a socket, in lines: `load` lets it import the code and build its apps, `run` lets it join Kafka.
It says `loaded`, or `failed` and one line. The end of the socket ends it.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from types import TracebackType
from typing import Final, Self

from pipeline.errors import PipelineError

LOAD: Final = "load"
RUN: Final = "run"
LOADED: Final = "loaded"
FAILED: Final = "failed"


class Turn:
    """The turn of this process. One without a socket is not on standby, and has its turn at once.

    Used as a context, it says that the code can't be loaded if an error leaves the block before `wait_to_run`.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._socket = None if descriptor is None else socket.socket(fileno=descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            said = str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"
            self._say(f"{FAILED} {said}")

    def wait_to_load(self) -> None:
        """Block until the code may be imported.

        No bytecode is written from then on: that of a file is taken for current if its size and second agree.
        """
        if self._socket is not None:
            self._wait_for(LOAD)
            sys.dont_write_bytecode = True

    async def wait_to_run(self) -> None:
        """Say that the code is loaded, and return when the process may run."""
        self._say(LOADED)
        if self._socket is not None:
            await asyncio.to_thread(self._wait_for, RUN)
            self._socket.close()
            self._socket = None

    def _say(self, words: str) -> None:
        if self._socket is not None:
            self._socket.sendall(" ".join(words.split()).encode() + b"\n")

    def _wait_for(self, word: str) -> None:
        """Block until the parent says `word`. Raise `SystemExit` if it closes the socket instead."""
        assert self._socket is not None
        told = b""
        while not told.endswith(b"\n"):
            part = self._socket.recv(64)
            if not part:
                raise SystemExit(0)
            told += part
        assert told.decode() == f"{word}\n"
