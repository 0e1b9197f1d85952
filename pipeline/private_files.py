"""Directories and files that only their owner can read: they contain messages, phone numbers and keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

DIRECTORY: Final = 0o700
FILE: Final = 0o600


def make_private_dir(path: Path) -> None:
    """Create a directory and its missing parents for the owner alone. An existing one keeps its mode."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=DIRECTORY, exist_ok=True)
    if not path.is_dir():
        path.mkdir()  # raises what is wrong


def is_open_to_others(path: Path) -> bool:
    """Return True if users outside of the directory's group can read or enter it."""
    return bool(path.stat().st_mode & 0o007)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, also if it replaces one that others could read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE), "wb") as file:
        os.fchmod(file.fileno(), FILE)
        file.write(content)
