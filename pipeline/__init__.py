"""Process a company's WhatsApp traffic through Kafka: one webhook, one effect, whatever fails.

You import everything for a handler or an agent from here: `from pipeline import EventHandler`. Names are imported on
first use, so that `import pipeline` loads nothing else.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pipeline.backoff import RetryPauses as RetryPauses
    from pipeline.errors import PipelineError as PipelineError
    from pipeline.errors import RetryAfter as RetryAfter
    from pipeline.errors import Unavailable as Unavailable
    from pipeline.handlers import Agent as Agent
    from pipeline.handlers import Effects as Effects
    from pipeline.handlers import EventHandler as EventHandler
    from pipeline.handlers import IMessenger as IMessenger
    from pipeline.handlers import SendResult as SendResult
    from pipeline.handlers import agent as agent
    from pipeline.topics.commands import Command as Command
    from pipeline.topics.events import AccountEvent as AccountEvent
    from pipeline.topics.events import APIMessageEvent as APIMessageEvent
    from pipeline.topics.events import ErrorEvent as ErrorEvent
    from pipeline.topics.events import Event as Event
    from pipeline.topics.events import MessageEvent as MessageEvent
    from pipeline.topics.events import StatusEvent as StatusEvent
    from pipeline.topics.events import UnknownEvent as UnknownEvent
    from pipeline.topics.outcomes import Outcome as Outcome

_HOMES: Final = {
    "pipeline.backoff": ("RetryPauses",),
    "pipeline.errors": ("PipelineError", "RetryAfter", "Unavailable"),
    "pipeline.handlers": ("Agent", "Effects", "EventHandler", "IMessenger", "SendResult", "agent"),
    "pipeline.topics.commands": ("Command",),
    "pipeline.topics.outcomes": ("Outcome",),
    "pipeline.topics.events": (
        "APIMessageEvent",
        "AccountEvent",
        "ErrorEvent",
        "Event",
        "MessageEvent",
        "StatusEvent",
        "UnknownEvent",
    ),
}
_MODULES: Final = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_MODULES)]  # noqa: PLE0604 (strings, made from the table above)


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use (PEP 562)."""
    if name == "__version__":
        return _version()
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    try:
        return version("whatsapp-pipeline")
    except PackageNotFoundError:  # a checkout that is not installed
        return "0+unknown"
