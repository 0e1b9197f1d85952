"""Rebuilds the exception of a handler in another process from its dead letter."""

from __future__ import annotations

import builtins
import sys

from pipeline import errors
from pipeline.topics.dead_letters import DeadLetter


def rebuild_exception(letter: DeadLetter, module: str) -> Exception:
    """Return an exception of the type that `module`, Python or the pipeline has under that name, with the dead letter's
    message.
    """
    kind = _kind(letter.error_type, module)
    error = kind.__new__(kind)
    error.args = (letter.error_message if kind is not _OtherError else f"{letter.error_type}: {letter.error_message}",)
    return error


class _OtherError(errors.PipelineError):
    """The error of a handler whose type is not known in this process."""


def _kind(name: str, module: str) -> type[Exception]:
    if name == errors.NoActiveEvent.error_type:
        return errors.NoActiveEvent
    for place in (sys.modules.get(module), errors, builtins):
        found = getattr(place, name, None)
        if isinstance(found, type) and issubclass(found, Exception):
            return found
    return _OtherError
