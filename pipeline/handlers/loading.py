"""From a dotted path to a handler."""

from __future__ import annotations

from importlib import import_module

from pipeline.errors import ConfigurationError
from pipeline.handlers.base import EventHandler


def load_handler(path: str) -> EventHandler:
    """The handler at `package.module.Class`, which it makes, or at `package.module:name`, which may be one already.

    Raises `ConfigurationError` with one line if that can't be done.
    """
    try:
        found = _find(path)
        made = found() if isinstance(found, type) and issubclass(found, EventHandler) else found
    except Exception as error:
        raise ConfigurationError(
            f"the handler {path} can't be made ({_line(error)}): correct it, or the tenants file or PIPELINE_HANDLER"
        ) from error
    if not isinstance(made, EventHandler):
        raise ConfigurationError(
            f"{path} is no handler: name a subclass of EventHandler as package.module.Class in the tenants file or "
            "PIPELINE_HANDLER"
        )
    return made


def _find(path: str) -> object:
    """What is called so in its module; None if nothing is."""
    module, _, name = path.partition(":") if ":" in path else path.rpartition(".")
    found: object = import_module(module) if module else None
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
