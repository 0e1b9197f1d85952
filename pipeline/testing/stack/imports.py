"""Finds the dotted path by which a worker process can import a test's handler."""

from __future__ import annotations

import sys
from functools import cached_property
from inspect import getattr_static
from types import ModuleType
from typing import Any, Final

from pipeline.errors import ConfigurationError, UsageError
from pipeline.handlers import EventHandler
from pipeline.handlers.loading import load_handler

_OR_SKIP: Final = "or skip the test there with @pytest.mark.skipif(on_stack(), reason=…)"


def path_of(handler: EventHandler) -> str:
    """Return `module:name` of an object at the top of its module, else `module:Class` if the class alone makes an equal
    one.

    Raises `UsageError`, in one line, for any other: its worker would run something else than the test has.
    """
    module, kind = sys.modules.get(handler.__module__), type(handler)
    if module is None or module.__name__ == "__main__":
        raise _unnamed(handler)
    if name := _name_in(module, handler):
        return f"{module.__name__}:{name}"
    if "<" in kind.__qualname__ or kind.__module__ != module.__name__:  # <locals>, or an agent
        raise _unnamed(handler)
    path = f"{module.__name__}:{kind.__qualname__}"
    if not _is_as_made(handler, path):
        raise UsageError(
            f"a worker of the real stack makes {kind.__name__}() itself, and this one was made otherwise or changed: "
            f"give it a name at the top of {module.__name__}, {_OR_SKIP}"
        )
    return path


def _unnamed(handler: EventHandler) -> UsageError:
    return UsageError(
        f"a worker of the real stack can't import the {type(handler).__name__} of {handler.__module__}: put it at the "
        f"top of a module, {_OR_SKIP}"
    )


def _name_in(module: ModuleType, handler: EventHandler) -> str | None:
    return next((name for name, value in vars(module).items() if value is handler), None)


def _is_as_made(handler: EventHandler, path: str) -> bool:
    """Return True if it has the attributes of a new one. Objects that can't be compared are compared by type."""
    try:
        new = load_handler(path)
    except ConfigurationError:
        return False
    mine, others = _attributes(handler), _attributes(new)
    return type(new) is type(handler) and mine.keys() == others.keys() and all(_alike(mine[n], others[n]) for n in mine)


def _attributes(handler: EventHandler) -> dict[str, Any]:
    """Return its attributes, without those that it computes on demand."""
    kind = type(handler)
    return {
        name: value
        for name, value in vars(handler).items()
        if not isinstance(getattr_static(kind, name, None), cached_property)
    }


def _alike(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    compares = any("__eq__" in vars(kind) for kind in type(one).__mro__[:-1])
    return bool(one == other) if compares or callable(one) else True
