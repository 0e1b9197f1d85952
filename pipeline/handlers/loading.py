"""From a dotted path to a handler."""

from __future__ import annotations

from importlib import import_module

from pipeline.errors import ConfigurationError
from pipeline.handlers.base import EventHandler


def load_handler(path: str) -> EventHandler:
    """Makes the handler at `package.module.Class`. Raises `ConfigurationError` with one line if that can't be done."""
    try:
        return _handler_class(path)()
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"the handler {path} can't be made ({_line(error)}): correct it, or the tenants file or PIPELINE_HANDLER"
        ) from error


def _handler_class(path: str) -> type[EventHandler]:
    module, _, name = path.rpartition(".")
    found = getattr(import_module(module), name, None) if module else None
    if not (isinstance(found, type) and issubclass(found, EventHandler)):
        raise ConfigurationError(
            f"{path} is no handler: name a subclass of EventHandler as package.module.Class in the tenants file or "
            "PIPELINE_HANDLER"
        )
    return found


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
