"""Name the places in the code where an error was raised: `my_shop/bot.py:42 process_message`, the author's code first.

The text of an error may quote a user. Its type and its places do not.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, NamedTuple

MAX_FRAMES: Final = 6
"""Places that are named of one error."""
_MAX_PLACES: Final = 200
"""Places that are looked at."""
_MAX_CAUSES: Final = 5
"""Errors of a chain that are searched for a place in the author's code."""
_STANDARD: Final = tuple({sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib")})
_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})
_OWN: Final[set[str]] = {"pipeline.agents.handlers"}
"""Modules and packages of the author, wherever they are installed."""


class _Origin(IntEnum):
    """The owner of the code that a frame runs, the most telling first."""

    AUTHOR = 0
    STAGE = 1
    LIBRARY = 2
    MACHINE = 3


class _Place(NamedTuple):
    origin: _Origin
    text: str


def register(module: str) -> None:
    """Count a package's modules as the author's code, also where they are installed beside the libraries."""
    _OWN.add(module)
    _origin.cache_clear()


def frames(error: BaseException) -> list[str]:
    """Return places that an error came through: those of the author's code, then the others, each from the innermost.

    An error that was raised in place of another one, as a timeout is, has the places of that one. Places in the
    pipeline itself are left out, unless there are no others.
    """
    told = list(_places(error.__traceback__))
    for each in _behind(error):
        if any(place.origin is _Origin.AUTHOR for place in told):
            break
        found = list(_places(each.__traceback__))
        if any(place.origin is _Origin.AUTHOR for place in found):
            told = found
    told.reverse()
    ordered = sorted(told, key=lambda place: place.origin)
    telling = [place for place in ordered if place.origin is not _Origin.MACHINE] or ordered
    return list(dict.fromkeys(place.text for place in telling))[:MAX_FRAMES]


def raised_at(error: BaseException) -> str:
    """Return file, line and function of the first of the frames; empty for an error that was not raised."""
    return next(iter(frames(error)), "")


def is_of_author(error: BaseException) -> bool:
    """Return True if an error came through the author's code."""
    return any(place.origin is _Origin.AUTHOR for place in _places(error.__traceback__))


def called_from() -> str:
    """Return file and line of the innermost caller in the author's code; empty if there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if _origin(frame.f_code.co_filename, str(frame.f_globals.get("__name__"))) is _Origin.AUTHOR:
            return f"{_short(frame.f_code.co_filename)}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def _behind(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors that one stands for: the only one of a group, the cause, the one that was being handled."""
    found: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        if isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        elif found is not None:
            found = found.__cause__ or found.__context__
        if found is None:
            return
        yield found


def _places(traceback: TracebackType | None) -> Iterator[_Place]:
    """Yield the places of a traceback from the outermost, those of its last `raise` first."""
    for _ in range(_MAX_PLACES):  # an error that is raised again and again gets more with each time
        if traceback is None:
            return
        code, name = traceback.tb_frame.f_code, str(traceback.tb_frame.f_globals.get("__name__"))
        text = f"{_short(code.co_filename)}:{traceback.tb_lineno} {code.co_name}"
        yield _Place(_origin(code.co_filename, name), text)
        traceback = traceback.tb_next


@lru_cache(maxsize=4096)
def _origin(file: str, module: str) -> _Origin:
    if any(module == own or module.startswith(f"{own}.") for own in _OWN):
        return _Origin.AUTHOR
    if module.startswith("pipeline.agents."):
        return _Origin.STAGE
    if module.partition(".")[0] == "pipeline":
        return _Origin.MACHINE
    is_library = file.startswith(("<", *_STANDARD)) or not _INSTALLED.isdisjoint(Path(file).parts)
    return _Origin.LIBRARY if is_library else _Origin.AUTHOR


@lru_cache(maxsize=4096)
def _short(file: str) -> str:
    """Return a path below the folder that it was imported from."""
    for folder in sorted(filter(None, sys.path), key=len, reverse=True):
        if file.startswith(f"{folder}/"):
            return file.removeprefix(f"{folder}/")
    return file
