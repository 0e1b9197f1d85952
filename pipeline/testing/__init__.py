"""Tools for your own tests: events of every kind in one line, drivers that run handlers and stages in memory."""

import warnings
from typing import Any

from pipeline.testing.agents import AgentDriver, outcome, outgoing_text
from pipeline.testing.conformance import AgentConformance
from pipeline.testing.driver import TopologyTestDriver
from pipeline.testing.environment import on_stack
from pipeline.testing.events import (
    account_event,
    api_message,
    error_event,
    events_of,
    incoming,
    incoming_audio,
    incoming_contacts,
    incoming_document,
    incoming_image,
    incoming_location,
    incoming_order,
    incoming_reaction,
    incoming_selection,
    incoming_sticker,
    incoming_text,
    incoming_video,
    status_event,
)
from pipeline.testing.handlers import HandlerDriver
from pipeline.testing.provider_conformance import DocumentedAnswer, ProviderConformance
from pipeline.testing.records import TestRecord

__all__ = [
    "AgentConformance",
    "AgentDriver",
    "DocumentedAnswer",
    "HandlerDriver",
    "ProviderConformance",
    "TestRecord",
    "TopologyTestDriver",
    "account_event",
    "api_message",
    "error_event",
    "events_of",
    "incoming",
    "incoming_audio",
    "incoming_contacts",
    "incoming_document",
    "incoming_image",
    "incoming_location",
    "incoming_order",
    "incoming_reaction",
    "incoming_selection",
    "incoming_sticker",
    "incoming_text",
    "incoming_video",
    "on_stack",
    "outcome",
    "outgoing_text",
    "status_event",
]


def __getattr__(name: str) -> Any:
    """Understand the name that `TopologyTestDriver` had in earlier versions."""
    if name == "StageDriver":
        warnings.warn("pipeline.testing.StageDriver is now TopologyTestDriver", DeprecationWarning, stacklevel=2)
        return TopologyTestDriver
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
