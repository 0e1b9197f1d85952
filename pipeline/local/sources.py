"""The Python files that a developer works on: which of them have changed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.errors import UsageError

MAX_FOLDERS: Final = 1_000
"""Folders that are looked at. More are no project, but a home directory, and looking at all takes the processor."""
_NOT_OURS: Final = frozenset({"__pycache__", "node_modules", "site-packages"})


class _State(NamedTuple):
    """Size and times of a file, which tell one content from the next."""

    modified: int
    size: int
    inode: int


class Sources:
    """Files with code, and how they were when they were looked at last.

    Args:
        places: files, and folders whose Python files count. Hidden folders and virtual environments do not.

    Raise `UsageError` if there are more than `MAX_FOLDERS`.
    """

    def __init__(self, places: Iterable[Path]) -> None:
        self._places = sorted(set(places))
        self._require_few()
        self._known = self._previous = self._look()

    def changed(self) -> list[Path]:
        """Return the files that are new, gone or different, once two looks in a row have found the same.

        An editor or a checkout that is writing still is left to finish.
        """
        found, previous = self._look(), self._previous
        self._previous = found
        if found != previous or found == self._known:
            return []
        before, self._known = self._known, found
        return sorted(path for path in before.keys() | found.keys() if before.get(path) != found.get(path))

    def _look(self) -> dict[Path, _State]:
        files = (file for place in self._places for file in _python_files(place))
        return {file: state for file in files if (state := _state(file)) is not None}

    def _require_few(self) -> None:
        folders = (place for place in self._places if place.is_dir())
        for count, _ in enumerate(each for folder in folders for each in _walk(folder)):
            if count >= MAX_FOLDERS:
                raise UsageError(
                    f"--reload would look at more than {MAX_FOLDERS} folders below {Path.cwd()}: run it in the folder "
                    "of your project"
                )


def sources_of(handlers: Iterable[str], *files: Path) -> Sources:
    """Return the sources of a project: this folder, the packages of its handlers, and other files."""
    roots = {path.partition(":")[0].partition(".")[0] for path in handlers}
    places = {place for root in roots if (place := _place(root))}
    return Sources([Path.cwd(), *places, *(file.absolute() for file in files)])


def _place(root: str) -> Path | None:
    """Return the folder or the file of a package or module; None for one that is installed or not there."""
    try:
        spec = find_spec(root)
    except (ImportError, ValueError):
        return None
    origin = Path(spec.origin) if spec and spec.origin and spec.has_location else None
    if origin is None or _NOT_OURS & set(origin.parts):
        return None
    return origin.parent if origin.name == "__init__.py" else origin


def _python_files(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        yield place
    for folder, names in _walk(place):
        yield from (folder / name for name in names if name.endswith(".py"))


def _walk(place: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield the folders of a project, each with the names of its files."""
    for folder, folders, names in os.walk(place):
        folders[:] = [name for name in folders if _is_ours(Path(folder, name))]
        yield Path(folder), names


def _is_ours(folder: Path) -> bool:
    return not (folder.name.startswith(".") or folder.name in _NOT_OURS or (folder / "pyvenv.cfg").exists())


def _state(file: Path) -> _State | None:
    try:
        found = file.stat()
    except OSError:  # it is gone, or was never there
        return None
    return _State(found.st_mtime_ns, found.st_size, found.st_ino)
