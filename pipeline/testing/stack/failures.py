"""From a dead letter back to the exception that a handler raised in another process."""

from __future__ import annotations

import builtins
import sys

from pipeline import errors
from pipeline.topics.dead_letters import Letter


def rebuild_exception(letter: Letter, module: str) -> Exception:
    """An exception of the type that `module`, Python or the pipeline has under that name, with the letter's message."""
    kind = _kind(letter.error_type, module)
    error = kind.__new__(kind)
    error.args = (letter.error_message if kind is not _OtherError else f"{letter.error_type}: {letter.error_message}",)
    return error


class _OtherError(errors.PipelineError):
    """A handler raised something whose type is not known here."""


def _kind(name: str, module: str) -> type[Exception]:
    for place in (sys.modules.get(module), errors, builtins):
        found = getattr(place, name, None)
        if isinstance(found, type) and issubclass(found, Exception):
            return found
    return _OtherError
