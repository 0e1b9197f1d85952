"""Finds the path by which a worker can import an application's handler."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

from pipeline.errors import UsageError


def handler_path(app: object, handler: object) -> str:
    """Return `package.module:application.event_handler` if a module has the application, else the path of the handler's
    class.

    With the first form the worker gets the handler as the application made it. Raises `UsageError` if neither exists.
    """
    main = sys.modules["__main__"]
    held = next((name for name, value in vars(main).items() if value is app), None)
    if held is not None:
        return f"{_name(main)}:{held}.event_handler"
    kind = type(handler)
    if "<locals>" in kind.__qualname__:
        raise UsageError(f"workers can't import {kind.__qualname__}: define the handler at the top of a module")
    module = _name(main) if kind.__module__ == "__main__" else kind.__module__
    return f"{module}:{kind.__qualname__}"


def _name(main: ModuleType) -> str:
    """Return the name by which the running program can be imported."""
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec is not None:
        return str(spec.name)
    if not file:
        raise UsageError("workers can't import what is typed at a prompt: put the application into a file")
    return Path(file).stem
