"""The data directory of a stack: its lock, its contents, and how it is emptied."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Final

from pipeline.errors import UsageError
from pipeline.private_files import DIRECTORY, make_private_dir, write_private

OWN_PATTERNS: Final = frozenset(
    {"kafka", "redis", "tables", "cache", "logs", "up.lock", "stack.env", "mask.key", "mask.key.*", "*.progress"}
)
"""Name patterns of everything that the stack and its workers write into the directory."""


@contextmanager
def claimed(directory: Path) -> Iterator[Path]:
    """Create the directory if needed, restrict it to its owner, and lock it for this process.

    Yield its absolute path. The mode of a directory with other files is kept; `pipeline doctor` warns of it.

    Raise `UsageError` if it can't be written or another `pipeline up` uses it.
    """
    path = directory.absolute()
    try:
        make_private_dir(path)
        _close(path)
        lock = (path / "up.lock").open("a+")
        _require_writable(path)
    except OSError as error:
        where, reason = error.filename or path, error.strerror or error
        raise UsageError(f"can't write {where} ({reason}): make it writable or pass --data-dir DIR") from None
    with lock:
        _lock(lock, path)
        yield path


def announce(directory: Path, variables: Mapping[str, str]) -> None:
    """Write the addresses of the stack into a file, for commands that run in the same directory."""
    lines = [f"{name}={value}\n" for name, value in variables.items()]
    write_private(directory / "stack.env", "".join(lines).encode())


def announced(directory: Path) -> dict[str, str]:
    """Return the variables of the stack that runs in this directory now; empty if none runs."""
    try:
        with (directory / "up.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        word = directory / "stack.env"
        lines = word.read_text().splitlines() if word.exists() else []
        return dict(line.split("=", 1) for line in lines)
    except OSError:
        pass
    return {}


def empty(directory: Path) -> None:
    """Delete the stack's data. Raise `UsageError` and delete nothing if the directory contains anything else."""
    foreign = sorted(entry.name for entry in directory.iterdir() if not _is_ours(entry))
    if foreign:
        raise UsageError(
            f"--fresh deletes nothing in {directory}: {foreign[0]} is not the stack's; move it or pass --data-dir DIR"
        )
    try:
        for path in (entry for entry in directory.iterdir() if entry.name != "up.lock"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"can't delete {error.filename} ({error.strerror}): make it writable") from None


def _close(directory: Path) -> None:
    """Restrict a directory to its owner if it contains nothing but the stack's data."""
    mode = directory.stat().st_mode
    if mode & 0o077 and directory.stat().st_uid == os.geteuid() and all(map(_is_ours, directory.iterdir())):
        directory.chmod(DIRECTORY)


def _is_ours(entry: Path) -> bool:
    """Return True for files of the stack; False for links, which could point to anything."""
    return any(fnmatchcase(entry.name, pattern) for pattern in OWN_PATTERNS) and not entry.is_symlink()


def _require_writable(directory: Path) -> None:
    """Raise `PermissionError` if a file can't be written, as after a run of another user."""
    for entry in filter(_is_ours, directory.iterdir()):
        if not os.access(entry, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(entry))


def _lock(file: IO[str], directory: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = f"process {file.read().strip() or '?'}"
        hint = "stop it or pass --data-dir DIR and --ports-from N"
        raise UsageError(f"another `pipeline up` ({holder}) uses {directory}: {hint}") from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
