"""A note of the record whose code is running, in memory that outlives the process.

A process that dies inside a hook (a crash in a C library, a loop that the watchdog ends, too much memory) can't report
the record. So each step of a record's work is noted before it is taken, in a file that is mapped into memory: the
kernel keeps the note, whatever ends the process. The next process suspects that record instead of all unfinished ones.
It suspects the record at once if an earlier process died in it too. The note is a hint and no proof: the record must
still kill a process in which it runs alone (`suspects`). Work that a hook hands to tasks of its own is not noted.
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
"""Format of a note: offset, partition, and the topic's CRC-32."""
_NOBODY: Final = _NOTE.pack(-1, 0, 0)
_NEWEST: Final = slice(_NOTE.size)
"""Bytes of the file for the record that runs."""
_EARLIER: Final = 15
"""Number of earlier deaths that are kept: several records may kill a worker in turns."""
_SIZE: Final = _NOTE.size * (1 + _EARLIER)


@cache
def _checksum(topic: str) -> int:
    return crc32(topic.encode())


class CrashHint(NamedTuple):
    """The record in which a process died.

    Attributes:
        topic: CRC-32 of the topic's name.
        again: True if an earlier process died in it too.
    """

    offset: int
    partition: int
    topic: int
    again: bool = False

    def offset_in(self, tp: TP) -> int:
        """Return the record's offset if it is of this partition; else `ELSEWHERE`."""
        ours = (tp.partition, _checksum(tp.topic)) == (self.partition, self.topic)
        return self.offset if ours else ELSEWHERE


class CrashMarker:
    """The note of one app in one process.

    Args:
        path: the file, the same for each process of a worker. None: nothing is noted.

    Attributes:
        crash_hint: the record in which the last process died; None if it died elsewhere, or this is unknown.
    """

    def __init__(self, path: Path | None) -> None:
        self.crash_hint: CrashHint | None = None
        self._memory: mmap | bytearray = bytearray(_NOBODY)
        if path is not None:
            with suppress(OSError, ValueError):  # a read-only directory: no hints then
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
            self._memory[_NOTE.size :] = self._memory[: -_NOTE.size]  # drops the oldest note
            self._memory[_NEWEST] = _NOBODY

    def run(self, tp: TP, offset: int, work: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """Await `work`, and note the record before each step of it."""
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
