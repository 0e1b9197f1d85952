"""The log files of the children: one each, bounded, followed while they grow."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from pipeline.private_files import make_private_dir

LIMIT: Final = 20 * 1024 * 1024
"""Bytes of a log before it is moved aside; there is one older one of each."""


class LogFile:
    """One child's output. The child appends to it, so it can be cut while the child runs."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self.path = path
        self._limit = limit
        self._read = 0
        self._rest = b""

    def begin(self) -> None:
        """Moves the log of the run before aside."""
        make_private_dir(self.path.parent)
        if self.path.exists():
            self.path.replace(self._older)

    def trim(self) -> None:
        """Moves what there is aside once it exceeds the limit. A line written in that instant may be lost."""
        if self.size() <= self._limit:
            return
        shutil.copyfile(self.path, self._older)
        with self.path.open("rb+") as file:
            file.truncate(0)
        self._read = 0

    def new_lines(self) -> list[str]:
        """The lines that were completed since the last call."""
        if self.size() <= self._read:
            return []
        with self.path.open("rb") as file:
            file.seek(self._read)
            added = file.read()
        self._read += len(added)
        *lines, self._rest = (self._rest + added).split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def size(self) -> int:
        """Bytes; 0 before anything was written."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def _older(self) -> Path:
        return self.path.with_suffix(".log.1")
