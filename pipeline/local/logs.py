"""The log files of the children: bounded, and followed while they grow."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from pipeline.private_files import make_private_dir

MAX_LOG_BYTES: Final = 20 * 1024 * 1024
"""Maximum bytes of a log before it is rotated; one older file is kept."""


class LogFile:
    """The output of one child. The child appends to it, so it can be truncated while the child runs."""

    def __init__(self, path: Path, limit: int = MAX_LOG_BYTES) -> None:
        self.path = path
        self._limit = limit
        self._read = 0
        self._rest = b""

    def begin(self) -> None:
        """Rotate the log of the previous run."""
        make_private_dir(self.path.parent)
        if self.path.exists():
            self.path.replace(self._older)

    def trim(self) -> None:
        """Rotate the log once it exceeds the limit. A line that is written meanwhile may be lost."""
        if self.size() <= self._limit:
            return
        shutil.copyfile(self.path, self._older)
        with self.path.open("rb+") as file:
            file.truncate(0)
        self._read = 0

    def new_lines(self) -> list[str]:
        """Return the lines that were completed since the last call."""
        if self.size() <= self._read:
            return []
        with self.path.open("rb") as file:
            file.seek(self._read)
            added = file.read()
        self._read += len(added)
        *lines, self._rest = (self._rest + added).split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def size(self) -> int:
        """Return the size in bytes; 0 if there is no file."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def _older(self) -> Path:
        return self.path.with_suffix(".log.1")
