"""The directory of a stack: what is ours in it, who uses it, how it is emptied."""

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

OURS: Final = frozenset(
    {"kafka", "redis", "tables", "cache", "logs", "up.lock", "stack.env", "mask.key", "mask.key.*", "*.progress"}
)
"""Everything that the stack and its workers put into the directory, as patterns of names."""


@contextmanager
def claimed(directory: Path) -> Iterator[Path]:
    """Makes the directory if need be, closes it to other users, and holds it for this process alone.

    Gives its absolute path. One that holds other people's files too keeps its mode: `pipeline doctor` says so.

    Raises `UsageError` when it can't be written or another `pipeline up` uses it.
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
    """Leaves word of where the stack is, for the commands that a person runs beside it."""
    lines = [f"{name}={value}\n" for name, value in variables.items()]
    write_private(directory / "stack.env", "".join(lines).encode())


def announced(directory: Path) -> dict[str, str]:
    """The variables of the stack that runs on this directory now; empty if none does."""
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
    """Deletes the stack's data. Raises `UsageError`, and deletes nothing, when anything else lies there."""
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
    """Takes everybody else's rights to a directory in which nothing but the stack's data lies."""
    mode = directory.stat().st_mode
    if mode & 0o077 and directory.stat().st_uid == os.geteuid() and all(map(_is_ours, directory.iterdir())):
        directory.chmod(DIRECTORY)


def _is_ours(entry: Path) -> bool:
    """A link is never ours: what it points to could be anybody's."""
    return any(fnmatchcase(entry.name, pattern) for pattern in OURS) and not entry.is_symlink()


def _require_writable(directory: Path) -> None:
    """What an earlier run of another user has left there can't be continued."""
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
