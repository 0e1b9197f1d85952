"""Business handlers: base class, messenger, media, caches, and the unit of work around one event."""

from __future__ import annotations

from pipeline.backoff import RetryPauses
from pipeline.errors import RetryAfter, Unavailable
from pipeline.handlers.base import DependencyStatus, EventHandler, WappaEventHandler
from pipeline.handlers.functions import Agent, Effects, agent
from pipeline.handlers.media.handler import IMediaHandler, MediaHandler
from pipeline.handlers.messenger import IMessenger
from pipeline.handlers.outbound.contacts import ContactCard
from pipeline.handlers.outbound.models import (
    CarouselCard,
    HeaderType,
    InteractiveHeader,
    ListRow,
    ListSection,
    ProductSection,
    ReplyButton,
    TemplateType,
)
from pipeline.handlers.results import MessageResult, SendResult
from pipeline.handlers.runner import HandlerRunner

__all__ = [
    "Agent",
    "CarouselCard",
    "ContactCard",
    "DependencyStatus",
    "Effects",
    "EventHandler",
    "HandlerRunner",
    "HeaderType",
    "IMediaHandler",
    "IMessenger",
    "InteractiveHeader",
    "ListRow",
    "ListSection",
    "MediaHandler",
    "MessageResult",
    "ProductSection",
    "ReplyButton",
    "RetryAfter",
    "RetryPauses",
    "SendResult",
    "TemplateType",
    "Unavailable",
    "WappaEventHandler",
    "agent",
]
