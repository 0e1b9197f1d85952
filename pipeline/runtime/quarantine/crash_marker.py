"""A note of the record whose code is on the processor, in memory that outlives the process.

A process that dies in the midst of a hook (a crash in a C library, a loop that the watchdog ends, too much memory)
can't say which record it was. So each step of a record's work is noted before it is taken, in a file that is mapped
into memory: the kernel keeps what was written there, whatever ends the process. The next process reads which record it
was, and suspects that one instead of all that were unfinished: at once if an earlier life ended in its midst too. It is
a hint and never a verdict: the record must still die alone (`suspects`). Work that a hook hands to tasks of its own is
not noted.
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from functools import cache
from mmap import mmap
from pathlib import Path
from struct import Struct
from typing import Any, Final, NamedTuple, TypeVar
from zlib import crc32

from faust.types import TP

from pipeline.private_files import make_private_dir, write_private
from pipeline.runtime.quarantine.suspects import ELSEWHERE

T = TypeVar("T")

_NOTE: Final = Struct("<qiI")
"""Offset, partition, and the topic's CRC-32."""
_NOBODY: Final = _NOTE.pack(-1, 0, 0)
_NEWEST: Final = slice(_NOTE.size)
"""Where the record that runs is noted."""
_EARLIER: Final = 15
"""Ends of earlier lives that are kept: several killers may end a worker in turns."""
_SIZE: Final = _NOTE.size * (1 + _EARLIER)


@cache
def _checksum(topic: str) -> int:
    return crc32(topic.encode())


class CrashHint(NamedTuple):
    """A record in whose midst a process died.

    Attributes:
        topic: its CRC-32.
        again: whether an earlier one did too.
    """

    offset: int
    partition: int
    topic: int
    again: bool = False

    def offset_in(self, tp: TP) -> int:
        """The record's offset if it is one of this partition; else `ELSEWHERE`."""
        ours = (tp.partition, _checksum(tp.topic)) == (self.partition, self.topic)
        return self.offset if ours else ELSEWHERE


class CrashMarker:
    """The note of one app in one process.

    Args:
        path: the file, the same for every life of a worker; None: nothing is noted.

    Attributes:
        found: the record in whose midst the last life ended; None where it ended elsewhere, or nobody knows.
    """

    def __init__(self, path: Path | None) -> None:
        self.crash_hint: CrashHint | None = None
        self._memory: mmap | bytearray = bytearray(_NOBODY)
        if path is not None:
            with suppress(OSError, ValueError):  # a directory that can't be written to: then all are suspect alike
                self._open(path)

    def _open(self, path: Path) -> None:
        if not path.exists() or path.stat().st_size != _SIZE:
            make_private_dir(path.parent)
            write_private(path, _NOBODY * (1 + _EARLIER))
        with path.open("r+b") as file:
            self._memory = mmap(file.fileno(), _SIZE)
        last, *earlier = (CrashHint(*note) for note in _NOTE.iter_unpack(self._memory[:]))
        if last.offset >= 0:
            self.crash_hint = last._replace(again=last in earlier)
            self._memory[_NOTE.size :] = self._memory[: -_NOTE.size]  # the oldest is forgotten
            self._memory[_NEWEST] = _NOBODY

    def run(self, tp: TP, offset: int, work: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """Awaits `work`, and notes the record before each step of it."""
        return self._steps(_NOTE.pack(offset, tp.partition, _checksum(tp.topic)), work)

    @types.coroutine
    def _steps(self, note: bytes, work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
        memory = self._memory
        step: Callable[[Any], Any] = work.send
        value: Any = None
        while True:
            memory[_NEWEST] = note
            try:
                waited = step(value)
            except StopIteration as end:
                result: T = end.value
                return result
            finally:
                memory[_NEWEST] = _NOBODY
            try:
                value, step = (yield waited), work.send
            except BaseException as error:
                value, step = error, work.throw
