"""Loads handlers by their dotted paths."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from traceback import extract_tb
from typing import Final

import pipeline
from pipeline.errors import ConfigurationError
from pipeline.frames import register
from pipeline.handlers.base import EventHandler
from pipeline.handlers.functions import Agent
from pipeline.logging import get_logger

_MOVED: Final = frozenset({"agents", "sandbox", "topics"})
"""Import names of this project until 0.1; each is a package of `pipeline` now."""

_log = get_logger(__name__)


def load_handler(path: str) -> EventHandler:
    """Return the handler at `package.module.Class`, which is instantiated, or at `package.module:name`.

    Raises `ConfigurationError` with one line if that can't be done.
    """
    made = load_object(path, f"the handler {path}")
    if not isinstance(made, EventHandler):
        raise ConfigurationError(
            f"{path} is no handler: "
            + (
                _shadowed(path)
                or "name a subclass of EventHandler as package.module.Class in the tenants file or PIPELINE_HANDLER"
            )
        )
    if isinstance(made, Agent) and made.takes_records:
        raise ConfigurationError(
            f"{path} takes commands or outcomes, which no handler gets: name it under `agents` in the tenants file"
        )
    return made


def load_object(path: str, what: str) -> object:
    """Return the object at a dotted path; of a handler's class, an instance.

    Raises `ConfigurationError` with one line about `what` if that can't be done.
    """
    try:
        found = _find(_current(path))
        if (root := _root(path)) != pipeline.__name__:
            register(root)
        return found() if isinstance(found, type) and issubclass(found, EventHandler) else found
    except Exception as error:
        raise ConfigurationError(
            f"{what} can't be imported ({_line(error)}): "
            + (_shadowed(path) or "correct it, or the tenants file or PIPELINE_HANDLER")
        ) from error


def _find(path: str) -> object:
    """Return the object at a path; None if there is none."""
    module, _, name = path.partition(":") if ":" in path else path.rpartition(".")
    found: object = importlib.import_module(module) if module else None
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _current(path: str) -> str:
    """Return the path below `pipeline` of a path from before 0.2, unless another package has that name now."""
    root = _root(path)
    if root not in _MOVED or _is_of_another(root):
        return path
    _log.warning("handler_path_moved", hint=f"write pipeline.{path} instead of {path} in the tenants file or settings")
    return f"pipeline.{path}"


def _is_of_another(root: str) -> bool:
    """Tell whether `root` is installed by another project. The checkout's own folder of that name does not count."""
    place = _place_of(root)
    return place is not None and not place.samefile(Path(pipeline.__path__[0]) / root)


def _shadowed(path: str) -> str:
    """Say which package has the name of a folder or module here, which is why that is not what is imported."""
    root = _root(path)
    here = next((each for each in (Path.cwd() / root, Path.cwd() / f"{root}.py") if each.exists()), None)
    if here is None or (place := _place_of(root)) is None or (place.exists() and place.samefile(here)):
        return ""
    owner = "a module of Python" if root in sys.stdlib_module_names else f"a package in {place.parent}"
    return f"{root} is also the name of {owner}, which is found first: rename yours"


def _place_of(root: str) -> Path | None:
    """Return the folder of an importable package, or the file of a module; None for nothing."""
    try:
        spec = find_spec(root) if root else None
    except ValueError:  # the module that runs as a program
        return None
    places = spec.submodule_search_locations if spec else None
    if places:
        return Path(next(iter(places)))
    return Path(spec.origin) if spec and spec.origin else None


def _root(path: str) -> str:
    return path.partition(":")[0].partition(".")[0]


def _line(error: Exception) -> str:
    """Return an error in one line, with the file and line that raised it. A `SyntaxError` names its own."""
    line = f"{type(error).__name__}: {error}".splitlines()[0]
    frames = [frame for frame in extract_tb(error.__traceback__) if _is_of_code(frame.filename)]
    if not frames or isinstance(error, SyntaxError):
        return line
    file, here = Path(frames[-1].filename), Path.cwd()
    return f"{line}, {file.relative_to(here) if file.is_relative_to(here) else file.name}:{frames[-1].lineno}"


def _is_of_code(file: str) -> bool:
    return file not in (__file__, importlib.__file__) and not file.startswith("<frozen")
